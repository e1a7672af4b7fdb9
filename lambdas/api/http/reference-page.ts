// The OpenAPI document as one page of HTML: no script, no style from elsewhere, nothing to load.
import type { OpenApi, Operation } from './openapi.ts';
import type { Schema } from './openapi-schemas.ts';

const escaped = (text: unknown): string =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const style = `
  :root { color-scheme: light dark; }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
  code, th, summary { font-family: ui-monospace, monospace; font-size: 13px; }
  nav a { margin-right: 1rem; } details { border-top: 1px solid #8885; padding: .4rem 0; }
  summary { cursor: pointer; } summary b { display: inline-block; width: 4.5rem; }
  table { border-collapse: collapse; margin: .5rem 0 1rem; } th { font-weight: 600; }
  td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; border-bottom: 1px solid #8883; }
`;

const nameOf = (reference: unknown): string => String(reference).split('/').at(-1)!;

/** A schema in a few words: its type and limits. */
function described(schema: Schema): string {
  if (schema['$ref']) return nameOf(schema['$ref']);
  if (Array.isArray(schema['anyOf']) && schema['type'] === undefined)
    return (schema['anyOf'] as Schema[]).map(described).join(' or ');
  const { type, minimum, maximum, maxLength, format, default: standard } = schema;
  const values = schema['enum'] as unknown[] | undefined;
  return [
    values ? values.join(', ') : Array.isArray(type) ? type.join(' or ') : (type ?? 'any'),
    ...(format ? [`(${format})`] : []),
    ...(type === 'array' && schema['items'] ? [`of ${described(schema['items'] as Schema)}`] : []),
    ...(minimum === undefined ? [] : [`${minimum} to ${maximum}`]),
    ...(maxLength === undefined ? [] : [`up to ${maxLength} characters`]),
    ...(standard === undefined ? [] : [`default ${JSON.stringify(standard)}`]),
  ].join(' ');
}

const row = (...cells: string[]): string =>
  `<tr><th>${cells[0]}</th>${cells
    .slice(1)
    .map((cell) => `<td>${cell}</td>`)
    .join('')}</tr>`;

const noteOf = (schema: Schema, isRequired: boolean): string =>
  isRequired ? 'required' : schema['x-octavia-extension'] ? 'beyond Octavia' : '';

function attributesTable(schema: Schema): string {
  const required = new Set((schema['required'] as string[] | undefined) ?? []);
  const properties = Object.entries((schema['properties'] as Record<string, Schema> | undefined) ?? {});
  const rows = properties.map(([name, one]) =>
    row(escaped(name), escaped(described(one)), noteOf(one, required.has(name))),
  );
  return `<table>${rows.join('')}</table>`;
}

const parametersTable = ({ parameters }: Operation): string =>
  parameters.length === 0
    ? ''
    : `<table>${parameters
        .map((one) => row(escaped(one.name), one.in, escaped(described(one.schema)), escaped(one.description ?? '')))
        .join('')}</table>`;

/** Names of the component schemas a body is made of. */
function schemasIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = '$ref' in value ? [nameOf(value.$ref)] : [];
  return [...own, ...Object.values(value).flatMap(schemasIn)];
}

function operationSection(method: string, path: string, operation: Operation, document: OpenApi): string {
  const bodies = schemasIn(operation.requestBody).map(
    (name) => `<p>Body, <code>${escaped(name)}</code>:</p>${attributesTable(document.components.schemas[name] ?? {})}`,
  );
  const statuses = Object.keys(operation.responses).filter((status) => !status.endsWith('XX'));
  const title = `<b>${method.toUpperCase()}</b> ${escaped(path)}`;
  return `<details><summary>${title} — ${escaped(operation.summary)}</summary>
<p>Answers ${statuses.join(', ')}. ${operation.security ? 'Needs no token.' : `Policy <code>${escaped(operation.operationId)}</code>.`}</p>
${parametersTable(operation)}${bodies.join('')}</details>`;
}

function tagSection(tag: string, document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.tags.includes(tag))
      .map(([method, operation]) => operationSection(method, path, operation, document)),
  );
  return `<h2 id="${escaped(tag)}">${escaped(tag)}</h2>${operations.join('')}`;
}

export function referencePage(document: OpenApi): string {
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  const tags = [...new Set(operations.flatMap((operation) => operation.tags))];
  const links = tags.map((tag) => `<a href="#${escaped(tag)}">${escaped(tag)}</a>`);
  const { title, version, description } = document.info;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)} ${escaped(version)}</title><style>${style}</style>
<h1>${escaped(title)} ${escaped(version)}</h1><p>${escaped(description)} The same as <a href="openapi.json">openapi.json</a>.</p>
<nav>${links.join(' ')}</nav>
${tags.map((tag) => tagSection(tag, document)).join('\n')}
</html>`;
}
