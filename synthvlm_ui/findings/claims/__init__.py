"""The claims of both papers that are run again in the small world, in the order of the table."""

from synthvlm_ui.findings.claims.added import IMAGES, PARITY, TOGETHER
from synthvlm_ui.findings.claims.captions import DIVERSITY, TRAINING
from synthvlm_ui.findings.claims.finding import Finding
from synthvlm_ui.findings.claims.selected import LANGUAGE, SELECTION
from synthvlm_ui.findings.claims.sizes import SIZES
from synthvlm_ui.findings.claims.speed import SPEED

FINDINGS: tuple[Finding, ...] = (TOGETHER, IMAGES, SPEED, PARITY, DIVERSITY, TRAINING, SELECTION, LANGUAGE, SIZES)

__all__ = ["FINDINGS", "Finding"]
