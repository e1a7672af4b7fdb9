// URLs a client may be sent to.
import { kind } from './attribute-kind.ts';

const isRedirectTarget = (text: string): boolean => {
  // Control characters and spaces would end the header they are written into.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\x00-\x20\x7f]/.test(text)) return false;
  try {
    const { protocol, hostname } = new URL(text);
    return (protocol === 'http:' || protocol === 'https:') && hostname !== '';
  } catch {
    return false;
  }
};

/** http or https with a host, at most 255 characters. */
export const redirectUrl = () =>
  kind(
    (value, refused): string => {
      if (typeof value === 'string' && value.length <= 255 && isRedirectTarget(value)) return value;
      return refused('Value must be a valid URL string');
    },
    { type: 'string', format: 'uri', maxLength: 255 },
  );
