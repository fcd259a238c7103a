"""What the localizer tries, and what it refuses."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LocalizerOptions:
    """What the localizer tries and what it refuses.

    search_features, observation_budget: how many of the strongest features are compared with how many landmark
        observations, best ranked views first, to find a first pose; all others join in by projection
    enough_support, often_alike: where so many matches agree on a pose no further group of views is tried, unless a
        place in the map has so many look-alikes on average
    ratio: of descriptor distances to the nearest and the nearest other landmark
    max_error_px: RANSAC's inlier bound
    min_inliers, max_log10_false_alarms: weaker support is refused as chance
    verified_log10_false_alarms, likely_log10_false_alarms: a pose is verified by textures that chance finds less often,
        and preferred to others, as are copies of a verified pose on other storeys
    explained_px: landmarks that a pose should show are there if they are found this near
    max_noise_scale: poses whose residuals are so many times larger than keypoints' sigmas are refused; a twin sets this
        and the above as its own left-out photos ask, see twin.mapping.left_out
    usual_noise: how large residuals of right poses are, in the same measure; as above
    min_probability: less probable poses are refused, see twin.choice
    alike: how many look-alikes a place in the map has on average, None if unknown; a twin sets it as above
    another_day: by how much wider than the map's own photos tell covariances are, as other cars stand there by then
    max_sigma_m, max_sigma_deg: weaker determined poses are refused
    guided_views, guided_radius_px, guided_distance: how many views that see what a pose should show lend their
        descriptors, and bounds, in the image and between descriptors, for matches found by projection
    ambiguity_ratio: a second pose is looked for where more than this share of the first one's matches are left
    distinct_m, distinct_deg: how far apart two poses are different
    threads: how many groups of views, or poses, of one photo are tried at once; they change no answer
    """

    search_features: int = 1500
    observation_budget: int = 12_000
    enough_support: int = 60
    often_alike: float = 0.2
    ratio: float = 0.85
    max_error_px: float = 6.0
    min_inliers: int = 12
    max_log10_false_alarms: float = -20.0
    verified_log10_false_alarms: float = -12.0
    likely_log10_false_alarms: float = -5.0
    explained_px: float = 1.0
    max_noise_scale: float = 20.0
    usual_noise: float = 1.4
    min_probability: float = 0.75
    alike: float | None = None
    another_day: float = 2.25
    max_sigma_m: float = 1.0
    max_sigma_deg: float = 5.0
    guided_views: int = 20
    guided_radius_px: float = 2.0
    guided_distance: float = 0.75
    ambiguity_ratio: float = 0.6
    distinct_m: float = 1.0
    distinct_deg: float = 10.0
    threads: int = 2
    seed: int = 0
