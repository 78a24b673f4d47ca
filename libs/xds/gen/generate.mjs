// Makes the protobuf code of this folder from the .proto files in the npm package @grpc/grpc-js-xds.
// Keeps only messages reached from ROOTS, without deprecated fields, validation rules and documentation, so that the
// result stays small. Usage: node libs/xds/gen/generate.mjs [--out DIR]. generate.spec.ts checks that the committed
// files are what this script makes.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  FieldDescriptorProto_Type,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, "../../..");
const modules = join(repository, "node_modules");

const ROOTS = [
  "envoy.service.discovery.v3.DeltaDiscoveryRequest",
  "envoy.service.discovery.v3.DeltaDiscoveryResponse",
  "envoy.config.cluster.v3.Cluster",
  "envoy.config.endpoint.v3.ClusterLoadAssignment",
  "envoy.config.listener.v3.Listener",
  "envoy.config.route.v3.RouteConfiguration",
  "envoy.config.core.v3.TypedExtensionConfig",
  "envoy.config.rbac.v3.Action",
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
  "envoy.extensions.access_loggers.file.v3.FileAccessLog",
  "envoy.extensions.filters.http.rbac.v3.RBAC",
  "envoy.extensions.filters.http.router.v3.Router",
  "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
  "envoy.extensions.filters.network.rbac.v3.RBAC",
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
  "envoy.extensions.matching.common_inputs.network.v3.ServerNameInput",
  "envoy.extensions.matching.common_inputs.ssl.v3.DnsSanInput",
  "envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput",
  "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
  "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
  "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
  "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig",
  "envoy.extensions.transport_sockets.tls.v3.Secret",
  "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
  "xds.type.matcher.v3.Matcher",
];

// Subtrees that Hansa's configuration never uses: fields of these types are dropped.
const UNUSED = [
  "envoy.config.core.v3.GrpcService.GoogleGrpc",
  "envoy.config.core.v3.QuicProtocolOptions",
  "envoy.config.cluster.v3.Cluster.LbSubsetConfig",
  "envoy.config.cluster.v3.Cluster.RingHashLbConfig",
  "envoy.config.cluster.v3.Cluster.MaglevLbConfig",
  "envoy.config.cluster.v3.Cluster.OriginalDstLbConfig",
  "envoy.config.listener.v3.UdpListenerConfig",
  "envoy.config.listener.v3.QuicProtocolOptions",
  "envoy.config.trace.v3.",
  "envoy.config.overload.v3.",
  "envoy.extensions.clusters.",
  "envoy.config.core.v3.SubstitutionFormatString.DynamicMetadata",
  "google.api.expr.",
  "google.rpc.context.",
  "xds.annotations.",
  "udpa.annotations.",
  "validate.",
];

// Names in index.ts where a short name is taken twice; types of the xds packages are prefixed with Xds.
const ALIASES = {
  "envoy.config.cluster.v3.Filter": "ClusterFilter",
  "envoy.config.core.v3.HttpProtocolOptions": "CoreHttpProtocolOptions",
  "envoy.config.core.v3.RetryPolicy": "CoreRetryPolicy",
  "envoy.extensions.filters.http.rbac.v3.RBAC": "HttpRBAC",
  "envoy.extensions.filters.network.rbac.v3.RBAC": "NetworkRBAC",
};

/** One tree of .proto files. The package's own validate.proto is too old for its .protos: it lacks `ignore_empty`. */
function protoTree(folder) {
  const deps = join(modules, "@grpc/grpc-js-xds/deps");
  for (const [source, name] of [
    ["envoy-api/envoy", "envoy"],
    ["xds/xds", "xds"],
    ["xds/udpa", "udpa"],
    ["googleapis/google", "google"],
    ["protoc-gen-validate/validate", "validate"],
  ])
    cpSync(join(deps, source), join(folder, name), { recursive: true });
  const path = join(folder, "validate/validate.proto");
  const rules = readFileSync(path, "utf8").replace(
    /^message (\w+Rules) \{$/gm,
    (line, name) => (name === "FieldRules" ? line : `${line}\n  optional bool ignore_empty = 1000;`),
  );
  writeFileSync(path, rules);
}

function buildImage(folder) {
  const paths = new Set(ROOTS.map((root) => root.split(".").slice(0, -1).join("/")));
  const image = join(folder, "image.binpb");
  execFileSync(
    join(modules, ".bin/buf"),
    ["build", folder, "--as-file-descriptor-set", "--exclude-source-info", "-o", image, ...[...paths].flatMap((path) => ["--path", join(folder, path)])],
    { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, BUF_CACHE_DIR: join(folder, ".cache") } },
  );
  return fromBinary(FileDescriptorSetSchema, readFileSync(image)).file;
}

const isUnused = (type) => UNUSED.some((unused) => type === unused || type.startsWith(unused.endsWith(".") ? unused : `${unused}.`));
const withoutDot = (type) => type.replace(/^\./, "");
const refersTo = (field) =>
  field.type === FieldDescriptorProto_Type.MESSAGE || field.type === FieldDescriptorProto_Type.ENUM ? withoutDot(field.typeName) : undefined;

function keepsField(field) {
  if (field.options?.deprecated) return false;
  const type = refersTo(field);
  return type === undefined || !isUnused(type);
}

/** full name → {file, message | enum, parent} for every type in the image. */
function indexTypes(files) {
  const types = new Map();
  const addMessage = (file, message, prefix, parent) => {
    const name = `${prefix}${message.name}`;
    types.set(name, { file, message, parent });
    for (const nested of message.nestedType) addMessage(file, nested, `${name}.`, name);
    for (const nested of message.enumType) types.set(`${name}.${nested.name}`, { file, parent: name });
  };
  for (const file of files) {
    const prefix = file.package === "" ? "" : `${file.package}.`;
    for (const message of file.messageType) addMessage(file, message, prefix, undefined);
    for (const type of file.enumType) types.set(`${prefix}${type.name}`, { file, parent: undefined });
  }
  return types;
}

function reach(types) {
  const reached = new Set();
  const queue = [...ROOTS];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (reached.has(name)) continue;
    const type = types.get(name);
    if (type === undefined) throw new Error(`generate: no such type ${name}`);
    reached.add(name);
    if (type.parent !== undefined) queue.push(type.parent);
    for (const field of type.message?.field ?? []) {
      const target = keepsField(field) ? refersTo(field) : undefined;
      if (target !== undefined) queue.push(target);
    }
  }
  return reached;
}

function dropOptions(descriptor) {
  if (descriptor.options === undefined) return;
  descriptor.options.$unknown = undefined;
  descriptor.options.uninterpretedOption = [];
}

function pruneMessage(message, name, reached) {
  dropOptions(message);
  message.field = message.field.filter(keepsField);
  for (const field of message.field) dropOptions(field);
  // Oneofs that lost all their fields go; the others are renumbered.
  const used = message.oneofDecl.map((_, index) => message.field.some((field) => field.oneofIndex === index && hasOneof(field)));
  const renumbered = used.map((_, index) => used.slice(0, index).filter(Boolean).length);
  for (const field of message.field) if (hasOneof(field)) field.oneofIndex = renumbered[field.oneofIndex];
  message.oneofDecl = message.oneofDecl.filter((_, index) => used[index]);
  for (const oneof of message.oneofDecl) dropOptions(oneof);
  message.reservedRange = [];
  message.reservedName = [];
  message.nestedType = message.nestedType.filter((nested) => reached.has(`${name}.${nested.name}`));
  for (const nested of message.nestedType) pruneMessage(nested, `${name}.${nested.name}`, reached);
  message.enumType = message.enumType.filter((nested) => reached.has(`${name}.${nested.name}`));
  for (const nested of message.enumType) pruneEnum(nested);
}

const hasOneof = (field) => Object.hasOwn(field, "oneofIndex");

function pruneEnum(type) {
  dropOptions(type);
  type.reservedRange = [];
  type.reservedName = [];
  for (const value of type.value) dropOptions(value);
}

function pruneFile(file, types, reached) {
  const prefix = file.package === "" ? "" : `${file.package}.`;
  file.messageType = file.messageType.filter((message) => reached.has(`${prefix}${message.name}`));
  file.enumType = file.enumType.filter((type) => reached.has(`${prefix}${type.name}`));
  for (const message of file.messageType) pruneMessage(message, `${prefix}${message.name}`, reached);
  for (const type of file.enumType) pruneEnum(type);
  file.service = [];
  file.extension = [];
  file.options = undefined;
  const wanted = new Set();
  const collect = (message) => {
    for (const field of message.field) {
      const target = refersTo(field);
      if (target !== undefined) wanted.add(types.get(target).file.name);
    }
    message.nestedType.forEach(collect);
  };
  file.messageType.forEach(collect);
  wanted.delete(file.name);
  file.dependency = [...wanted].sort();
  file.publicDependency = [];
  file.weakDependency = [];
}

function runPlugin(files) {
  const request = create(CodeGeneratorRequestSchema, {
    parameter: "target=js+dts,import_extension=js",
    fileToGenerate: files.map((file) => file.name).filter((name) => !name.startsWith("google/protobuf/")),
    protoFile: files,
  });
  const output = execFileSync(process.execPath, [join(modules, "@bufbuild/protoc-gen-es/bin/protoc-gen-es")], {
    input: toBinary(CodeGeneratorRequestSchema, request),
    maxBuffer: 64 << 20,
  });
  const response = fromBinary(CodeGeneratorResponseSchema, output);
  if (response.error !== "") throw new Error(response.error);
  return response.file;
}

/** index.ts: the only door, also to the protobuf runtime; short names, every enum and schema, and a registry for JSON. */
function indexSource(files) {
  const lines = ["// Generated by generate.mjs. Do not edit.", 'import { createRegistry } from "@bufbuild/protobuf";'];
  const taken = new Map();
  const descriptors = [];
  const claim = (fullName, name) => {
    if (taken.has(name)) throw new Error(`generate: ${fullName} and ${taken.get(name)} are both ${name}: add an alias`);
    taken.set(name, fullName);
    return name;
  };
  const topName = (fullName, name) => claim(fullName, ALIASES[fullName] ?? (fullName.startsWith("xds.") ? `Xds${name}` : name));
  for (const file of files) {
    if (file.name.startsWith("google/protobuf/")) continue;
    const path = `./${file.name.replace(/\.proto$/, "_pb.js")}`;
    const names = [];
    const schemas = [];
    const as = (name, alias, suffix = "") => (name === alias ? `${name}${suffix}` : `${name}${suffix} as ${alias}${suffix}`);
    const add = (message, fullName, jsName, name) => {
      if (message.options?.mapEntry) return;
      schemas.push(as(jsName, name, "Schema"));
      names.push(`type ${as(jsName, name)}`);
      for (const nested of message.nestedType) {
        const inner = `${fullName}.${nested.name}`;
        add(nested, inner, `${jsName}_${nested.name}`, claim(inner, `${name}_${nested.name}`));
      }
      for (const nested of message.enumType)
        names.push(as(`${jsName}_${nested.name}`, claim(`${fullName}.${nested.name}`, `${name}_${nested.name}`)));
    };
    const prefix = file.package === "" ? "" : `${file.package}.`;
    for (const message of file.messageType) {
      const fullName = `${prefix}${message.name}`;
      add(message, fullName, message.name, topName(fullName, message.name));
    }
    for (const type of file.enumType) names.push(as(type.name, topName(`${prefix}${type.name}`, type.name)));
    const handle = `file_${file.name.replace(/\.proto$/, "").replace(/[^A-Za-z0-9]/g, "_")}`;
    descriptors.push(handle);
    lines.push(`import { ${handle} } from ${JSON.stringify(path)};`);
    lines.push(`export { ${[...schemas, ...names].join(", ")} } from ${JSON.stringify(path)};`);
  }
  lines.push(
    'export { create, equals, fromBinary, fromJson, toBinary, toJson, isMessage, clone } from "@bufbuild/protobuf";',
    'export type { DescMessage, JsonValue, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";',
    'export { anyPack, anyUnpack, AnySchema, DurationSchema, EmptySchema, StructSchema } from "@bufbuild/protobuf/wkt";',
    'export type { Any, Duration } from "@bufbuild/protobuf/wkt";',
    "/** Every type of this folder: resolves `@type` in protobuf JSON. */",
    `export const registry = createRegistry(${descriptors.join(", ")});`,
  );
  return `${lines.join("\n")}\n`;
}

export function generate(out) {
  const folder = mkdtempSync(join(tmpdir(), "hansa-proto-"));
  try {
    protoTree(folder);
    const files = buildImage(folder);
    const types = indexTypes(files);
    const reached = reach(types);
    for (const file of files) if (!file.name.startsWith("google/protobuf/")) pruneFile(file, types, reached);
    const kept = files.filter((file) => file.messageType.length + file.enumType.length > 0);
    for (const name of ["envoy", "xds", "udpa", "google"]) rmSync(join(out, name), { recursive: true, force: true });
    for (const { name, content } of runPlugin(sortByDependency(kept))) {
      const path = join(out, name);
      if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    writeFileSync(join(out, "index.ts"), indexSource(kept));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Plugins need every file after those it imports. */
function sortByDependency(files) {
  const byName = new Map(files.map((file) => [file.name, file]));
  const sorted = new Set();
  const visit = (file) => {
    if (sorted.has(file)) return;
    for (const name of file.dependency) if (byName.has(name)) visit(byName.get(name));
    sorted.add(file);
  };
  files.forEach(visit);
  return [...sorted];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--out");
  generate(at === -1 ? here : resolve(process.argv[at + 1]));
}
