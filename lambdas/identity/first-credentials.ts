// The first user of a deployment, without whom nobody could make the next: Keystone's bootstrap.
import { type CustomResourceHandler, customResourceHandler } from '../runtime/custom-resource.ts';
import type { Services } from '../runtime/services.ts';
import { seedAdministrator } from './seed.ts';

/** @param readSecret gives `{"password": ...}`, made at random when the stack was */
export function firstCredentialsHandler(services: Services, readSecret: () => Promise<string>): CustomResourceHandler {
  const run = async () => {
    const { password } = JSON.parse(await readSecret()) as { password: string };
    // A password that was changed since stays as it is.
    await seedAdministrator(services, { adminPassword: password, region: services.config.region }, true);
  };
  return customResourceHandler({ logger: services.logger, physicalId: 'first-credentials', run });
}
