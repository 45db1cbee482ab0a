// Defines the page's own elements; they come to life wherever a tab mounts them.

import "./command.js";
import "./jobs.js";
import "./login.js";
import "./welcome.js";
import "./captions.js";
import "./captions_rules.js";
import "./captions_preview.js";
import "./captions_write.js";
import "./captions_hub.js";
import "./captions_gaps.js";
import "./generate.js";
import "./curate/tab.js";
import "./compare/tab.js";
import "./diversity/tab.js";
import "./export.js";
import "./train/tab.js";
import "./findings/tab.js";
import { rememberTabs } from "./tabs.js";

rememberTabs();
