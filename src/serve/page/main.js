import { x } from "./a.js";
console.log(x);
