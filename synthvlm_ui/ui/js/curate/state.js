// What one browser looks at: a rule, what is searched for, what is shown in which order, and the place in it.
// The same object is sent with every request, kept as a saved view, and written into a link by the server.

export const freshRule = (dataset) => ({ dataset, preset: "paper", ssim_weight: null, clip_min: null, ssim_min: null,
  combined_min: null, where: null, top_k: null, keep_ratio: null, skip_top: null, best_per_caption: null, per_cluster: null,
  near_duplicates: null, duplicate_bits: null, duplicate_cosine: null, guards: true, random: false, seed: null });

export const freshState = (dataset = "") => ({ rule: freshRule(dataset), find: {}, show: "kept", order: "combined",
  offset: 0, limit: 48, id: null });

// What a link or a saved view says, over what was not said.
export function stateFrom(given, dataset) {
  const state = freshState(given?.rule?.dataset ?? dataset);
  return { ...state, ...plain(given), rule: { ...state.rule, ...plain(given?.rule) }, find: plain(given?.find) };
}

const plain = (fields) => Object.fromEntries(Object.entries(fields ?? {}).filter(([, value]) => value !== null
  && value !== undefined));

export const SHOWN = [["kept", "Kept"], ["dropped", "Dropped"], ["all", "All"], ["undecided", "Without verdict"],
  ["keep", "✓ Kept by hand"], ["reject", "✗ Rejected by hand"], ["overridden", "Against the rule"], ["real", "Real images"],
  ["failed", "Failed"]];
export const SIZES = [24, 48, 96, 200, 500];

export const ORDERS = [["combined", "Best combined"], ["clip_cosine", "Best CLIPScore"], ["ssim", "Best SSIM"],
  ["-combined", "Worst combined"], ["-clip_cosine", "Worst CLIPScore"], ["-ssim", "Worst SSIM"], ["similarity", "Most similar"],
  ["newest", "Newest"], ["caption", "Caption"], ["random", "Random"]];
const KNOWN = new Set(["clip_cosine", "ssim", "combined"]);

// Orders by the scores that only some workspaces have.
export const ordersWith = (columns) => [...ORDERS, ...columns.filter((name) => !KNOWN.has(name)).flatMap((name) => [
  [name, `Highest ${name}`], [`-${name}`, `Lowest ${name}`]])];
