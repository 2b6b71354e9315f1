/** @type {import("next").NextConfig} */
export default {
  // Bundled, the client would lose the names of its classes and load gRPC twice.
  serverExternalPackages: ["@cronium/client"],
  outputFileTracingRoot: new URL("../..", import.meta.url).pathname,
  devIndicators: false,
};
