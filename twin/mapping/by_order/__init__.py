"""Maps from photos of which nothing is known but the order they were taken in.

``neighbours`` builds the walk of neighbours alone, ``legs`` cuts it where nothing carries its scale on, ``links`` finds
where legs may show the same place, ``layout`` fits how they lie, ``joining`` says which links to believe;
``laying_out`` does all that, and ``settling`` adjusts the map.
"""

from twin.mapping.by_order.laying_out import APART, lay_out_walk
from twin.mapping.by_order.settling import settle
from twin.mapping.by_order.tears import MIN_STEADY, MIN_TORN

__all__ = ["APART", "MIN_STEADY", "MIN_TORN", "lay_out_walk", "settle"]
