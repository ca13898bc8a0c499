// The page of a session that does not run.
import { localize } from "./times.js";

localize(document);
