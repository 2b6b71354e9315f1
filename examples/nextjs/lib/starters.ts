/** Scripts that an empty editor begins with. */

export type Language = "bash" | "python" | "nodejs";

export const STARTERS: Record<Language, string> = {
  bash: `for step in $(seq 1 5); do
  printf '\\e[32mstep\\e[0m %s of 5\\n' "$step"
  sleep 0.3
done
cronium_output '{"steps": 5}'
`,
  python: `import time

for step in range(1, 6):
    print(f"\\033[32mstep\\033[0m {step} of 5", flush=True)
    time.sleep(0.3)
cronium.output({"steps": 5})
`,
  nodejs: `for (let step = 1; step <= 5; step++) {
  console.log(\`\\x1b[32mstep\\x1b[0m \${step} of 5\`);
  await new Promise((resolve) => setTimeout(resolve, 300));
}
cronium.output({ steps: 5 });
`,
};
