// What a kind of value is: how it is judged and coerced, as a zod schema, and the JSON schema of its values as the schema's
// metadata, so that types, filters and the API's documentation follow from one statement.
import * as z from 'zod/mini';

export type JsonSchema = Record<string, unknown>;
export type AttributeKind<T = unknown> = z.ZodMiniType<T>;

/** @param judge gives the value as it is kept, or what `refused` returned for the reason a client reads */
export function kind<T>(
  judge: (value: unknown, refused: (reason: string) => never) => T,
  schema: JsonSchema,
): AttributeKind<T> {
  const judged = z.transform((value: unknown, { issues }): T => {
    const refused = (message: string): never => {
      issues.push({ code: 'custom', message, input: value });
      return z.NEVER;
    };
    return judge(value, refused);
  });
  return judged.register(z.globalRegistry, schema);
}

/** Of values of that kind. */
export const schemaOf = (type: AttributeKind): JsonSchema => z.globalRegistry.get(type) ?? {};
