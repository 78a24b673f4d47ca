/** The OpenAPI document, made from the route registry: it cannot name a route that is not served, or miss one that is. */
import { CODES } from "@hansa/core";
import * as z from "zod";
import type { Route } from "./route.ts";

export function openApiDocument(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([A-Za-z]+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Hansa hub", version: "v1" },
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Error: ERROR },
    },
  };
}

const ERROR = {
  type: "object",
  required: ["apiVersion", "kind", "code", "message", "todo"],
  properties: {
    apiVersion: { const: "hansa/v1" },
    kind: { const: "Error" },
    code: { enum: Object.keys(CODES) },
    message: { type: "string" },
    todo: { type: "string" },
    details: {
      type: "object",
      properties: { retry: { const: true, description: "nothing was done; ask again in a second" } },
    },
  },
};

function operation(route: Route): Record<string, unknown> {
  const open = route.access === "none" || route.access === "secret";
  const body =
    route.body === undefined
      ? undefined
      : z.toJSONSchema(route.body, { io: "input", unrepresentable: "any" });
  return {
    summary: route.summary,
    "x-role": route.access,
    security: open ? [] : [{ token: [] }],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: {
      "200": {
        description: route.kind,
        ...(route.raw ? {} : { content: { "application/json": { schema: envelope(route) } } }),
      },
      default: {
        description: "error",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

const envelope = (route: Route) => ({
  type: "object",
  required: ["apiVersion", "kind", "data"],
  properties: {
    apiVersion: { const: "hansa/v1" },
    kind: { const: route.kind },
    data: {},
    position: { type: "integer", description: "archive position that the answer is of" },
    committedAt: { type: "string", format: "date-time" },
  },
});

const pathParameters = ({ path }: Route) =>
  [...path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));

function queryParameters({ query }: Route) {
  if (query === undefined) return [];
  const schema = z.toJSONSchema(query, { io: "input", unrepresentable: "any" }) as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(schema.properties ?? {}).map(([name, value]) => ({
    name,
    in: "query",
    required: schema.required?.includes(name) === true,
    schema: value,
  }));
}
