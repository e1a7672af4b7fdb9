// What an amphora is told, as one text: HAProxy's configuration, and below a line that says so keepalived's. One text has one
// generation and one digest, is taken or refused as a whole, and a complaint names a line of it whoever complains.
import { keepalivedBegins } from '../../amphora/agent-api.ts';
import type { Tree } from '../domain/tree.ts';
import type { Certificates } from '../haproxy/files.ts';
import type { RenderOptions } from '../haproxy/process.ts';
import { type RenderedConfiguration, renderConfiguration } from '../haproxy/render.ts';
import { renderVirtualServers } from '../lvs/render.ts';

/** @throws Unrenderable naming the resource that neither HAProxy nor keepalived can be told */
export function renderAmphora(tree: Tree, options: RenderOptions, certificates?: Certificates): RenderedConfiguration {
  const haproxy = renderConfiguration(tree, options, certificates);
  const keepalived = renderVirtualServers(tree);
  if (keepalived === undefined) return haproxy;
  // HAProxy's text ends in a line break: the empty line behind it becomes the one that divides.
  return {
    text: `${haproxy.text}${keepalivedBegins}\n${keepalived.text}`,
    origins: [...haproxy.origins, ...keepalived.origins],
    files: haproxy.files,
  };
}
