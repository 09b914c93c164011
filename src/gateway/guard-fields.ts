import { defaultFieldResolver, getNamedType, isObjectType } from "graphql";
import type { GraphQLField, GraphQLSchema } from "graphql";
import { readPermissionOf } from "../modules/identity/index.js";
import type { Permission, RequestContext } from "../modules/identity/index.js";
import { assertMay } from "./authorization.js";

/**
 * Lets no path lead to an object that its reader may not see: a field whose type asks for another permission than
 * the type that it belongs to asks for it. All other fields cost nothing.
 * @throws {Error} for a type without a decision
 */
export function guardFields(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith("__")) continue;
    const own = decisionOf(type.name);
    for (const field of Object.values(type.getFields())) {
      const target = getNamedType(field.type);
      const asked = isObjectType(target) ? decisionOf(target.name) : "part";
      if (asked !== "part" && asked !== own) guard(field, asked);
    }
  }
}

function decisionOf(type: string): Permission | "part" {
  const permission = readPermissionOf(type);
  if (permission === undefined) throw new Error(`what reading ${type} asks for has not been decided`);
  return permission;
}

function guard(field: GraphQLField<unknown, RequestContext>, permission: Permission): void {
  const { resolve = defaultFieldResolver } = field;
  field.resolve = (root, args, context, info) => {
    assertMay(context.caller, permission);
    return resolve(root, args, context, info);
  };
}
