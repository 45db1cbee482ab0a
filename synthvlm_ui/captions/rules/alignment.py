"""How well a caption fits the real image it came with: CLIP's cosine, and BLIP's matching head.

The numbers are scores of the real images; these rules only say what they mean. A caption without a real image has none,
and no rule rejects what it could not measure.
"""

from __future__ import annotations

from synthvlm_ui.captions.rules.rule import Parameter, Rule

# The model that the paper's limit was set for.
PAPER_CLIP = "ViT-B-32"

MATCHING_RULE = Rule(
    "image_text_matching", "Image-text matching", "BLIP's probability that caption and real image belong together.",
    family="images",
    parameters={"model": Parameter("text", "a BLIP image-text matching model: Hub id or directory",
                                   "Salesforce/blip-itm-base-coco")})
SIMILARITY_RULE = Rule(
    "image_text_similarity", "Image-text similarity", "CLIP's cosine of caption and real image.", family="images",
    parameters={"keep_ratio": Parameter("number", "keep this share with the highest cosine, in place of a minimum",
                                        measured=False)})
