import Cronium = require('cronium');
const { input, getVariable, CroniumAPIError } = Cronium;
async function main(): Promise<void> {
  const data = await input<{ region: string }>();
  const region: string = data.region;
  const direct: string = input<{ region: string }>().region;
  const n: number = await getVariable<number>('N');
  const c = new Cronium();
  await c.output({ region, direct, n });
  const plain: number = cronium.getVariable<number>('N') + 1;
  const t: true = cronium.setVariable('N', plain);
  getVariable<string>('x').then((v) => v.length).catch((e) => e instanceof CroniumAPIError && e.statusCode);
  await c.log('info', 'x', { t }); await c.log('x');
  const wrong: boolean = await getVariable<number>('N') as unknown as boolean;
}
main();
