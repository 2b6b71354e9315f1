/** Types of `import cronium, { input } from 'cronium'`. */
import Cronium = require('./cronium.js');

export default Cronium;
export { Cronium };
export import CroniumError = Cronium.CroniumError;
export import CroniumAPIError = Cronium.CroniumAPIError;
export import CroniumTimeoutError = Cronium.CroniumTimeoutError;
export declare const cronium: Cronium;
export declare const input: Cronium['input'];
export declare const output: Cronium['output'];
export declare const event: Cronium['event'];
export declare const getVariable: Cronium['getVariable'];
export declare const setVariable: Cronium['setVariable'];
export declare const variableExists: Cronium['variableExists'];
export declare const deleteVariable: Cronium['deleteVariable'];
export declare const listVariables: Cronium['listVariables'];
export declare const incrementVariable: Cronium['incrementVariable'];
export declare const appendVariable: Cronium['appendVariable'];
export declare const setCondition: Cronium['setCondition'];
export declare const getCondition: Cronium['getCondition'];
export declare const log: Cronium['log'];
export declare const progress: Cronium['progress'];
export declare const sleep: Cronium['sleep'];
export declare const executeToolAction: Cronium['executeToolAction'];
export declare const sendEmail: Cronium['sendEmail'];
export declare const sendSlackMessage: Cronium['sendSlackMessage'];
export declare const sendDiscordMessage: Cronium['sendDiscordMessage'];
