// Entry point of the CDK command line.
import { octaviaApp } from './deployment.ts';

octaviaApp().app.synth();
