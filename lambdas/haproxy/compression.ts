// Answers of members compressed on their way to clients who take it. HAProxy leaves alone what is compressed already, or is to be
// passed on unchanged (Cache-Control: no-transform).
import type { ListenerRow } from '../domain/listener.ts';
import { value, words } from './config.ts';

export const compressionLines = ({ compression }: ListenerRow) =>
  compression
    ? [words`compression algo gzip`, [...words`compression type`, ...compression.content_types.map(value)]]
    : [];
