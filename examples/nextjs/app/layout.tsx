import type { Metadata, Viewport } from "next";
import Link from "next/link";
import type { ReactNode } from "react";
import "./globals.css";

export const metadata: Metadata = { title: "Cronium example" };
export const viewport: Viewport = { width: "device-width", initialScale: 1, colorScheme: "light dark" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <header className="top">
          <strong>Cronium</strong>
          <nav>
            <Link href="/">Event</Link>
            <Link href="/workflow">Workflow</Link>
          </nav>
        </header>
        {children}
      </body>
    </html>
  );
}
