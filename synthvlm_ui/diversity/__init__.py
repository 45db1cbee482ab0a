"""Diversity: how evenly a set covers the concepts that all sets together have (Synth2 section 4.2.2 and A.3).

Pure functions on arrays: co-clustering, concentration, entropy with a band, the elbow, names of clusters, maps.
"""

from synthvlm_ui.diversity.clusters import DEFAULT_FITS, DEFAULT_K, Fit, fit_kmeans, lloyd, nearest
from synthvlm_ui.diversity.cuts import entropy_by_cut, fill_up
from synthvlm_ui.diversity.elbow import check_range, knee, wcss_curve
from synthvlm_ui.diversity.measures import Diversity, concentration, counts_of, differences, entropy_bits
from synthvlm_ui.diversity.naming import ClusterName, name_clusters
from synthvlm_ui.diversity.projection import METHODS, MOST_POINTS, can_make, check_method, project
from synthvlm_ui.diversity.report import Clustering, Measured, cluster, measure, measured
from synthvlm_ui.diversity.rows import SAMPLE_ROWS, keys_of, pooled_sample, shares_of_sample, unit, usable

__all__ = [
    "DEFAULT_FITS", "DEFAULT_K", "METHODS", "MOST_POINTS", "SAMPLE_ROWS", "ClusterName", "Clustering", "Diversity",
    "Fit", "Measured", "can_make", "check_method", "check_range", "cluster", "concentration", "counts_of",
    "differences", "entropy_bits", "entropy_by_cut", "fill_up", "fit_kmeans", "keys_of", "knee", "lloyd", "measure",
    "measured", "name_clusters", "nearest", "pooled_sample", "project", "shares_of_sample", "unit", "usable",
    "wcss_curve",
]
