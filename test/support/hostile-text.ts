// Text as somebody writes it who wants a directive of HAProxy.
import fc from 'fast-check';

const fragment = fc.oneof(
  fc.constantFrom(
    ...['\n', '\r', '\0', '\t', ' ', '#', '\\', "'", '"', '$', '${HOME}', '"$HOME"', '%', '%[env(HOME)]', '%ci', ';'],
    ...[
      '{',
      '{{',
      '{{DIRECTORY}}',
      '\\\n',
      '\\x0a',
      '\\n',
      "'\\''",
      'unix@/x',
      'fd@3',
      'env@HOME',
      '[',
      ']',
      '::1',
      '@1',
    ],
    ...['\n    server x 127.0.0.1:1', ' disabled', 'global\n', 'constructor', '__proto__', '/', '200', '-', ',', '|'],
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
export const hostileText = fc.oneof(
  fc.array(fragment, { maxLength: 8 }).map((parts) => parts.join('')),
  fc.string({ minLength: 3_000, maxLength: 6_000 }),
);
