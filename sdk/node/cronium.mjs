/** `import cronium, { input, output } from 'cronium'`: what require gives, as a module. */
import Cronium from './cronium.js';

export default Cronium;
export { Cronium };
export const {
  CroniumError, CroniumAPIError, CroniumTimeoutError,
  input, output, event, getVariable, setVariable, variableExists, deleteVariable, listVariables,
  incrementVariable, appendVariable, setCondition, getCondition, log, progress, sleep,
  executeToolAction, sendEmail, sendSlackMessage, sendDiscordMessage,
} = Cronium;

function shared() {
  try {
    return Cronium.cronium;
  } catch (error) {
    return Cronium; // outside a run: each call says what is missing
  }
}
export const cronium = shared();
