// Defines the page's own elements; they come to life wherever a tab mounts them.

import "./command.js";
import "./jobs.js";
import "./login.js";
import "./welcome.js";
import "./captions/tab.js";
import "./captions/rules.js";
import "./captions/preview.js";
import "./captions/write.js";
import "./captions/hub.js";
import "./captions/gaps.js";
import "./generate/tab.js";
import "./curate/tab.js";
import "./compare/tab.js";
import "./diversity/tab.js";
import "./export.js";
import "./train/tab.js";
import "./findings/tab.js";
import { downloadInFrames } from "./framed.js";
import { rememberTabs } from "./tabs.js";

rememberTabs();
downloadInFrames();
