import cronium, { input, Cronium, CroniumError, cronium as shared } from 'cronium';
const data = await input<{ region: string }>();
const c: Cronium = new Cronium();
const d: string = (await cronium.getVariable<string>('X')) + data.region;
try { await shared.output(d); await c.output(1); } catch (error) { if (error instanceof CroniumError) console.log(error.message); }
