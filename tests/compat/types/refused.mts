import { log, getVariable } from 'cronium';
await log('loud', 'x');
await getVariable(5);
