"""Maps from photos of which nothing is known but the order they were taken in.

``neighbours`` builds the walk of neighbours alone, ``legs`` cuts it where nothing carries its scale on, ``links`` finds
where legs may show the same place, ``layout`` fits how they lie, ``joining`` says which links to believe;
``laying_out`` does all that, ``settling`` adjusts the map, and ``regrowing`` registers onto it what was left out.
"""

from twin.mapping.by_order.laying_out import APART, lay_out_walk
from twin.mapping.by_order.regrowing import regrow
from twin.mapping.by_order.settling import GROWN_ROUNDS_PX, LAYOUT_ROUNDS_PX, settle
from twin.mapping.by_order.tears import MIN_STEADY

__all__ = ["APART", "GROWN_ROUNDS_PX", "LAYOUT_ROUNDS_PX", "MIN_STEADY", "lay_out_walk", "regrow", "settle"]
