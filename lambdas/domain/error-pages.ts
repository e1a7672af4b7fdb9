// What clients read when the load balancer itself has to answer with an error.
import { kind, schemaOf } from './attribute-kind.ts';
import { pattern } from './attribute-types.ts';
import { invalid } from './errors.ts';
import { part } from './extensions.ts';
import { type Created, parseCreate, resource } from './resource.ts';

/** HAProxy sends a page from one buffer of 16 KB, with its headers and its reserve in it. */
const bodyBytes = 8_192;
/** A row holds the pages twice while a change of them is pending, in 400 KB with everything else. */
const allBytes = 32_768;

/** Any text but the control characters that no page has. */
const pageBody = () =>
  kind(
    (value, refused): string => {
      if (typeof value !== 'string') return refused('Value should be string');
      if (value === '') return refused('Value should have a minimum character requirement of 1');
      if (!value.isWellFormed() || /[^\P{Cc}\t\r\n]/u.test(value)) return refused('Value should be text');
      return Buffer.byteLength(value) > bodyBytes ? refused(`Value should have at most ${bodyBytes} bytes`) : value;
    },
    { type: 'string', minLength: 1, maxLength: bodyBytes },
  );

const contentType = () =>
  pattern(/^[\w.+-]+\/[\w.+-]+(; ?charset=[\w-]+)?$/, 128, 'Value should be a content type, such as text/html');

const errorPage = resource({
  root: 'error_page',
  plural: 'error_pages',
  argument: 'listener_.listener.error_pages',
  title: 'Error page',
  attributes: {
    body: { type: pageBody(), on: 'create+update', required: true },
    content_type: { type: contentType(), on: 'create+update', default: 'text/html; charset=utf-8' },
  },
});
export type ErrorPage = Created<typeof errorPage.attributes>;

/**
 * Not 400 and 408: of what is no request yet, HAProxy answers with texts of its own below where pages are looked up (2.6; neither
 * http-error nor errorfile changes them).
 */
export const errorStatuses = ['403', '429', '500', '502', '503', '504'] as const;
export type ErrorStatus = (typeof errorStatuses)[number];
export type ErrorPages = Partial<Record<ErrorStatus, ErrorPage>>;

const pages = resource({
  root: 'error_pages',
  plural: 'error_pages',
  argument: 'listener_.listener',
  title: 'Error pages',
  attributes: Object.fromEntries(
    errorStatuses.map((status) => [status, { type: part(errorPage), on: 'create+update' as const }]),
  ),
});

/** By status; those without a page of their own are left out. */
export const errorPages = () => {
  const all = part(pages);
  return kind((value): ErrorPages => {
    const given = Object.entries(parseCreate(pages, value)).filter(([, page]) => page !== null);
    return Object.fromEntries(given);
  }, schemaOf(all));
};

/** @throws ApiError 400 */
export function checkErrorPages(given: ErrorPages | null | undefined): void {
  const size = Object.values(given ?? {}).reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
  if (size > allBytes) throw invalid(`error_pages may have ${allBytes} bytes in all at most.`);
}
