"""Files of ratings in many structures, drawn at random, whose true ratings are known."""

import bz2
import csv
import gzip
import io
import lzma
import random
import zipfile
from dataclasses import dataclass, field

# Names that public data sets have, and names that say nothing.
USUAL = {
    "user": [
        *("user", "userId", "user_id", "UserID", "User-ID", "uid", "reviewerID", "customer_id"),
        *("Cust_Id", "viewer", "profileName", "user_id:token", "username", "USER_MD5", "u"),
    ],
    "item": [
        *("item", "itemId", "item_id", "movieId", "MovieID", "ISBN", "asin", "business_id"),
        *("anime_id", "movie_title", "book_id", "artistID", "item_id:token", "track", "i"),
    ],
    "rating": [
        *("rating", "Rating", "stars", "overall", "score", "Book-Rating", "label", "my_score"),
        *("rating:float", "review_overall", "star_rating", "user_rating", "r"),
    ],
    "timestamp": ["timestamp", "unixReviewTime", "time", "date", "timestamp:float", "ts"],
}
UNUSUAL = ["who", "what", "points", "a", "b", "x1", "Nutzer", "valeur", "column", "average_rating"]
EXTRA = ["index", "Unnamed: 0", "", "id", "review_id", "rating_count", "votes", "age", "category"]
EXTRA += ["genres", "helpful"]
SCALES = [
    [1, 2, 3, 4, 5],
    [0.5 * level for level in range(1, 11)],
    list(range(1, 11)),
    list(range(101)),
    [0, 1],
    [round(-10 + 0.01 * step, 2) for step in range(2001)],
]
IDS = [
    lambda k: str(k),
    lambda k: str(k + 1),
    lambda k: str(100 + 7 * k),
    lambda k: str(9_000_000_000 + k),
    lambda k: f"u{k:03}",
    lambda k: ("Zoë", "ann", "bob", "O'Hara", "寿司")[k % 5] + str(k),
    lambda k: f"The {k}, part {k % 3}",
]


def extra(draw, name, row):
    """A cell of a column that is not asked for."""
    if name in ("index", "Unnamed: 0", "", "id", "review_id"):
        return {"id": 500 + row, "review_id": f"r{row}"}.get(name, row)
    if name in ("rating_count", "votes", "age"):
        return draw.randint(*{"rating_count": (1, 900), "votes": (0, 4), "age": (10, 70)}[name])
    if name == "category":
        return draw.choice(["drama", "war, peace", "sci-fi"])
    if name == "genres":
        return "|".join(draw.sample(["War", "Crime", "Noir"], draw.randint(1, 3)))
    return f"{draw.random():.3f}"


@dataclass
class Made:
    """A file.

    Attributes:
        content: its bytes.
        truth: {(user, item): rating} that it holds.
        options: those with which it is to be read.
        features: what is special about it.
        must: "read" if it must be read, "refuse" if it must be refused, "either" if it may be.
    """

    content: bytes
    truth: dict
    options: dict = field(default_factory=dict)
    features: list = field(default_factory=list)
    must: str = "either"


def make(seed):
    """The file of a seed."""
    draw = random.Random(seed)
    kind = draw.choice(["named", "named", "named", "unnamed", "unnamed", "matrix", "matrix"])
    return {"named": named, "unnamed": unnamed, "matrix": matrix}[kind](draw)


def triples(draw):
    """Some ratings, with pairs that occur once."""
    user, item = draw.choice(IDS), draw.choice(IDS)
    shape = draw.randint(2, 15), draw.randint(2, 15)
    pairs = [(u, i) for u in range(shape[0]) for i in range(shape[1])]
    pairs = draw.sample(pairs, draw.randint(3, min(60, len(pairs))))
    order = draw.choice(["shuffled", "by user", "by item"])
    if order != "shuffled":
        pairs.sort(key=lambda pair: pair[order == "by item"])
    scale = draw.choice(SCALES)
    return [(user(u), item(i), draw.choice(scale)) for u, i in pairs]


def named(draw):
    """A table with a header, its columns in any order."""
    rows = triples(draw)
    features, must, options = ["header"], "read", {}
    names = {role: draw.choice(USUAL[role]) for role in ("user", "item", "rating")}
    for role in ("user", "item", "rating"):
        if draw.random() < 0.08:
            names[role] = draw.choice([name for name in UNUSUAL if name not in names.values()])
            features.append(f"unusual {role}")
            if draw.random() < 0.5:
                options[role] = names[role]
            else:
                must = "refuse"
    columns = {
        names["user"]: [row[0] for row in rows],
        names["item"]: [row[1] for row in rows],
        names["rating"]: [row[2] for row in rows],
    }
    if draw.random() < 0.4:
        features.append("timestamp")
        columns[draw.choice(USUAL["timestamp"])] = [draw.randint(10**9, 2 * 10**9) for _ in rows]
    role = draw.choice(["user", "item"])
    if draw.random() < 0.1 and names[role] in USUAL[role]:
        other = draw.choice([name for name in USUAL[role] if name not in columns])
        features.append(f"second {role} column")
        columns[other] = [draw.randint(0, 99) for _ in rows]
        options[role] = names[role]
        if draw.random() < 0.5:
            del options[role]
            # An id comes before a name; if the added one is likelier, nothing can tell.
            alike = {"username", "profileName", "u", "movie_title", "i"}
            if (names[role] in alike) != (other in alike) and other not in alike:
                return named(draw)
            must = "either" if must == "read" else must
    for name in draw.sample(EXTRA, draw.randint(0, 3)):
        features.append(f"extra {name!r}")
        columns[name] = [extra(draw, name, row) for row in range(len(rows))]
    order = list(columns)
    draw.shuffle(order)
    table = [order, *zip(*(columns[name] for name in order), strict=True)]
    return written(draw, table, rows, options, features, must, order.index(names["rating"]))


def unnamed(draw):
    """A table without names: user, item, rating, maybe a timestamp, maybe an index before them."""
    rows = triples(draw)
    features, must = ["no names"], "either"
    columns = [list(column) for column in zip(*rows, strict=True)]
    rating = 2
    if draw.random() < 0.5:
        features.append("timestamp")
        columns.append([draw.randint(10**9, 2 * 10**9) for _ in rows])
        if draw.random() < 0.15:
            features.append("rating last")
            columns[2], columns[3], rating, must = columns[3], columns[2], 3, "refuse"
    for name in draw.sample(EXTRA, draw.choice([0, 0, 0, 1, 2])):
        features.append(f"extra {name!r}")
        columns.append([extra(draw, name, row) for row in range(len(rows))])
    header = []
    if draw.random() < 0.35:
        features.append("index")
        index = list(range(len(rows)))
        if draw.random() < 0.3:
            draw.shuffle(index)
            features.append("shuffled index")
        columns.insert(0, index)
        rating += 1
        if draw.random() < 0.4:
            header = [["", *range(len(columns) - 1)]]
            features.append("numbered header")
    elif draw.random() < 0.15:
        header = [list(range(len(columns)))]
        features.append("numbered header")
    table = header + list(zip(*columns, strict=True))
    return written(draw, table, rows, {}, features, must, rating)


def matrix(draw):
    """A matrix, read as one or not."""
    scale = draw.choice(SCALES)
    shape = draw.randint(8, 20), draw.randint(3, 12)
    none = draw.choice(["", "", "NaN", "99", "0", "-1"])
    features = ["matrix", f"none is {none!r}"]
    if none not in ("", "NaN") and float(none) in scale:
        none = ""
    user, item = draw.choice(IDS), draw.choice([*IDS, lambda k: f"film {k}"])
    share = draw.choice([0.2, 0.6, 1])
    values = [[draw.choice(scale) for _ in range(shape[1])] for _ in range(shape[0])]
    cells = [[v if draw.random() < share else none for v in row] for row in values]
    has_header, has_ids = draw.random() < 0.6, draw.random() < 0.5
    features += [f"{'' if has_header else 'no '}header", f"{'' if has_ids else 'no '}ids"]
    users = [user(u) if has_ids else str(u) for u in range(shape[0])]
    items = [item(i) if has_header else str(i) for i in range(shape[1])]
    table = [[users[u], *row] if has_ids else row for u, row in enumerate(cells)]
    if has_header:
        corner = [draw.choice(["", "user", "userId", "id", "viewer"])] if has_ids else []
        table.insert(0, [*corner, *items])
    truth = [
        (users[u], items[i], value)
        for u, row in enumerate(cells)
        for i, value in enumerate(row)
        if value != none
    ]
    as_matrix = draw.random() < 0.6
    options = {"layout": "matrix"} if as_matrix else {}
    if as_matrix and none not in ("", "NaN"):
        options["missing"] = float(none)
    features.append("read as a matrix" if as_matrix else "read as a table")
    return written(draw, table, truth, options, features, "either" if as_matrix else "refuse", None)


def written(draw, table, truth, options, features, must, rating):
    """The table as the bytes of a file.

    Args:
        draw: the random generator.
        table: its rows, a header included.
        truth: the ratings in it.
        options: as of `Made`.
        features: as of `Made`.
        must: as of `Made`.
        rating: column of the ratings; None if there are several, as in a matrix.
    """
    table = [[str(cell) for cell in row] for row in table]
    text = "".join(cell for row in table for cell in row)
    separators = [",", ",", ",", ";", "\t", "|"] + (["::"] if '"' not in text else [])
    if " " not in text and not any(cell == "" for row in table for cell in row):
        separators.append(" ")
    separator = draw.choice(separators)
    if draw.random() < 0.2 and "." in text and "header" in features:
        features.append("decimal commas")
        table = [
            [cell.replace(".", ",") if cell[-1:].isdigit() else cell for cell in row]
            if at or "no names" in features
            else row
            for at, row in enumerate(table)
        ]
        if draw.random() < 0.5:
            options = {**options, "decimal": ","}
        elif rating is not None and any("," in row[rating] for row in table[1:]):
            must = "refuse"
    if rating is not None and draw.random() < 0.06:
        features.append("a rating is missing")
        table[-1][rating] = draw.choice(["", "NaN", "null"])
        must = "refuse"
    if separator == "::":
        lines = ["::".join(row) for row in table]
    else:
        lines = quoted(draw, table, separator)
    if draw.random() < 0.05:
        features.append("comment line")
        lines.insert(0, draw.choice(["# made by hand", "% sym unweighted"]))
        must = "either" if must == "read" else must
    ending = draw.choice(["\n", "\n", "\r\n", "\r"])
    content = ending.join(lines) + draw.choice(["", ending, 2 * ending])
    encoded = content.encode(draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
    features.append(f"separator {separator!r}")
    if draw.random() < 0.2:
        encoded = packed(draw, encoded)
    users, items = (normal([row[place] for row in truth]) for place in (0, 1))
    ratings = [float(row[2]) for row in truth]
    expected = dict(zip(zip(users, items, strict=True), ratings, strict=True))
    return Made(encoded, expected, options, features, must)


def quoted(draw, table, separator):
    quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    file = io.StringIO()
    csv.writer(file, delimiter=separator, quoting=quoting, lineterminator="\0").writerows(table)
    return file.getvalue().split("\0")[:-1]


def packed(draw, content):
    how = draw.choice(["gz", "bz2", "xz", "zip"])
    if how == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("ratings.csv", content)
        return buffer.getvalue()
    return {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[how](content)


def normal(labels):
    """The ids as whole numbers, if all of them are written like ones."""
    whole = all(label.isdecimal() and str(int(label)) == label for label in labels)
    return [int(label) for label in labels] if whole else labels
