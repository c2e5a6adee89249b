"""Side information: what is known of users and items beside the ratings.

- `information.py`: all of a data set, under the indices of its ratings.
- `attributes.py`: attributes of users or of items, as their files have them.
- `encode.py`: attributes as columns of numbers.
- `graphs.py`: graphs of users or of items.
- `dates.py`: when a rating was given.
"""

from glocalk.data.side.attributes import Attributes
from glocalk.data.side.dates import RatingDates
from glocalk.data.side.information import SideInformation

__all__ = ["Attributes", "RatingDates", "SideInformation"]
