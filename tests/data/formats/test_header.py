"""Which column is taken for which role; what the right one is was written down by hand."""

import pytest

from data.tables import INPUTS, by_ids, everything, refusal, split

ROWS = [("a", "x", 4), ("a", "y", 5), ("b", "x", 3), ("c", "z", 1), ("b", "z", 2)]
PAIRS = {(user, item): rating for user, item, rating in ROWS}


def table(*names, extra="7", separator=","):
    """The rows under these names: `U`, `I` and `R` before `=` tell the columns of the roles."""
    roles = [name.split("=")[0] if "=" in name else None for name in names]
    lines = [separator.join(name.split("=")[-1] for name in names)]
    for row in ROWS:
        cells = dict(zip("UIR", map(str, row), strict=True))
        lines.append(separator.join(cells.get(role, extra) for role in roles))
    return "\n".join(lines)


@pytest.mark.parametrize(
    "names",
    [
        ("R=stars", "review_id", "U=user_id", "I=business_id", "useful", "date"),  # Yelp
        ("U=reviewerID", "I=asin", "reviewerName", "helpful", "R=overall", "unixReviewTime"),
        ("R=rating", "title", "I=asin", "parent_asin", "U=user_id", "timestamp"),  # Amazon 2023
        ("U=User-ID", "I=ISBN", "R=Book-Rating"),  # Book-Crossing
        ("U=user_id:token", "I=item_id:token", "R=rating:float", "timestamp:float"),  # RecBole
        ("brewery_id", "R=review_overall", "U=review_profilename", "I=beer_beerid", "beer_name"),
        ("U=userId", "I=movieId", "title", "genres", "R=rating", "timestamp"),  # MovieLens, merged
        ("U=userID", "I=placeID", "R=rating", "food_rating", "service_rating"),
        ("U=USER_MD5", "I=MOVIE_ID", "R=RATING", "RATING_TIME", "RATING_ID"),
        ("I=movie_title", "U=viewer", "R=rating"),
        ("id", "U=user_name", "I=movie_name", "R=rating"),
        ("U=user_id", "I=item_id", "timestamp", "R=label"),
        ("label", "I=book", "R=score", "U=reader"),
        ("", "U=user", "I=item", "R=rating"),
        ("Unnamed: 0", "index", "I=song_id", "U=listener", "R=user_rating"),
        ("U=Cust_Id", "R=Rating", "Date", "I=Movie_Id"),
    ],
)
def test_usual_names_are_found_in_any_order(names, tmp_path):
    for separator in ",\t;":
        made = split(tmp_path / "r", table(*names, separator=separator))
        assert everything(made) == PAIRS
    taken = {
        role: name.split("=")[1] for role in "UIR" for name in names if name.startswith(f"{role}=")
    }
    assert made.notes[0] == (
        f"user ← {taken['U']}, item ← {taken['I']}, rating ← {taken['R']}; 5 ratings, 3 users, "
        "3 items, scale 1–5"
    )


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ("user_id", "item_id", "timestamp"),
            "no rating column: choose data.rating=… from its columns user_id, item_id, timestamp.",
        ),
        (
            ("row", "userId", "movieId", "average_rating"),
            "no rating column: choose data.rating=… from its columns row, userId, movieId, average",
        ),
        (("user", "title", "0"), "no rating column: choose data.rating=… from its columns user"),
        (
            ("who", "item", "rating"),
            "no user column: choose data.user=… from its columns who, item",
        ),
        (
            ("who", "what", "rating"),
            "no user column and no item column: choose data.user=… data.item=… from its columns",
        ),
        (
            ("user_id", "uid", "item", "rating"),
            "more than one user column (user_id, uid): choose data.user=… from its columns user",
        ),
        (
            ("user", "movie_id", "book_id", "rating"),
            "more than one item column (movie_id, book_id): choose data.item=… from",
        ),
        (
            ("user", "item", "rating", "stars"),
            "more than one rating column (rating, stars): choose",
        ),
    ],
)
def test_what_the_names_do_not_tell_is_refused(names, sentence, tmp_path):
    assert f"'r.csv' has {sentence}" in refusal(tmp_path / "r.csv", table(*names))


def test_a_named_column_is_not_taken_for_another_role(tmp_path):
    content = table("U=user", "I=item", "timestamp", "R=points")
    assert "'r.csv' has no rating column" in refusal(tmp_path / "r.csv", content)
    assert everything(split(tmp_path / "r.csv", content, rating="points")) == PAIRS
    # The chosen column is free for no other role, although its name is that of one.
    content = table("U=uid", "I=user", "R=rating")
    assert everything(split(tmp_path / "r.csv", content, item="user")) == PAIRS


def rows(*columns):
    """Lines of the numbers in these columns."""
    return "".join(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


USERS, ITEMS, RATINGS = [7, 7, 8, 9, 9, 8], [30, 31, 30, 32, 31, 33], [1, 5, 3, 4, 2, 5]
NUMBERS = dict(zip(zip(USERS, ITEMS, strict=True), RATINGS, strict=True))
TIMES = [1_600_000_000 + k for k in range(6)]


@pytest.mark.parametrize(
    "content",
    [
        rows(USERS, ITEMS, RATINGS),
        rows(USERS, ITEMS, RATINGS, TIMES),
        rows(range(6), USERS, ITEMS, RATINGS),
        rows(range(1, 7), USERS, ITEMS, RATINGS, TIMES),
        "0,1,2\n" + rows(USERS, ITEMS, RATINGS),  # pandas, no names, no index
        ",0,1,2\n" + rows(range(6), USERS, ITEMS, RATINGS),  # with its index
        ",0,1,2,3\n" + rows([4, 2, 0, 1, 3, 5], USERS, ITEMS, RATINGS, TIMES),
        "0,1,2,3\n" + rows(USERS, ITEMS, RATINGS, TIMES),
    ],
)
def test_without_names_the_order_counts_and_an_index_is_no_user(content, tmp_path):
    assert everything(split(tmp_path / "r.csv", content)) == NUMBERS


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            rows([4, 2, 0, 1, 3, 5], USERS, ITEMS, RATINGS),
            "Column 0 of 'r.csv' has a different number in each row and may be an index: choose "
            "data.user=1 data.item=2 data.rating=3 if it is, or data.user=0 data.item=1 "
            "data.rating=2 if it holds the users.",
        ),
        (rows(range(6), RATINGS, RATINGS, RATINGS), "'r.csv' may be a matrix of users and items"),
        (rows(range(6), USERS, ITEMS), "Column 0 of 'r.csv' has a different number in each row"),
        (
            rows(USERS, ITEMS, [28, 3, 3, 17, 3, 28], RATINGS, TIMES),  # Ciao: categories of items
            "Column 3 of 'r.csv' looks more like ratings than column 2: choose data.rating=2 if "
            "this is right, or data.user=…, data.item=… and data.rating=… from its columns 0, 1, "
            "2, 3, 4 (it has no header).",
        ),
        (rows("abcdef", USERS, ITEMS, RATINGS), "Column 3 of 'r.csv' looks more like ratings than"),
        (rows(USERS, ITEMS, TIMES, RATINGS), "Column 2 of 'r.csv' looks like timestamps, not"),
        (
            "0,1,2\n0,30,5\n1,31,4\n0,31,3\n",
            "The first row of 'r.csv' counts the columns (0, 1, 2) and may be a header or not: set "
            "data.header=true or data.header=false.",
        ),
    ],
)
def test_without_names_what_is_unclear_is_refused(content, sentence, tmp_path):
    assert sentence in refusal(tmp_path / "r.csv", content)


def test_a_table_may_have_an_index_where_it_is_no_matrix(tmp_path):
    content = rows([4, 2, 0, 1, 3, 5], [1, 1, 2, 3, 3, 2], [4, 1, 4, 2, 1, 3], RATINGS)
    assert "may be a matrix" in refusal(tmp_path / "r.csv", content)
    sentence = refusal(tmp_path / "r.csv", content, layout="table")
    assert "may be an index: choose data.user=1 data.item=2 data.rating=3 if it is" in sentence
    made = split(tmp_path / "r.csv", content, user=1, item=2, rating=3)
    pairs = zip([1, 1, 2, 3, 3, 2], [4, 1, 4, 2, 1, 3], strict=True)
    assert everything(made) == dict(zip(pairs, RATINGS, strict=True))


@pytest.mark.parametrize("gap", ["\t\t", ";;"])
def test_empty_columns_between_the_others_are_named_with_options_that_work(gap, tmp_path):
    content = rows(USERS, ITEMS, RATINGS).replace(",", gap)  # Jester's second data set has two tabs
    assert refusal(tmp_path / "r.csv", content) == (
        "Column 1 of 'r.csv' is empty: choose data.user=0 data.item=2 "
        "data.rating=4 if these are the columns."
    )
    made = split(tmp_path / "r.csv", content, user=0, item=2, rating=4)
    assert everything(made) == NUMBERS
    content = f"user{gap}item{gap}rating\n{content}"
    assert everything(split(tmp_path / "r.csv", content)) == NUMBERS


def test_users_who_each_rate_once_are_users(tmp_path):
    # As in a test set of one rating for each user: the first column counts the rows.
    content = rows(range(1, 7), ITEMS, RATINGS, TIMES)
    expected = dict(zip(zip(range(1, 7), ITEMS, strict=True), RATINGS, strict=True))
    assert everything(split(tmp_path / "r.csv", content)) == expected


def test_a_header_may_be_stated(tmp_path):
    content = "0,1,2\n0,30,5\n1,31,4\n0,31,3\n"
    held = {(0, 30): 5, (1, 31): 4, (0, 31): 3}
    assert everything(split(tmp_path / "r.csv", content, header=True)) == held
    assert everything(split(tmp_path / "r.csv", content, header=False)) == {(0, 1): 2, **held}


def test_columns_of_the_inputs_are_found_as_their_makers_meant_them():
    def shape_and_scale(name, **options):
        made = split(INPUTS / name, **options)
        return *made.train.shape, len(everything(made)), made.train.scale

    assert shape_and_scale("time_taken_as_rating.csv") == (4, 20, 20, (1, 5))
    assert shape_and_scale("id_column_first.csv") == (4, 20, 20, (1, 5))
    assert shape_and_scale("items_before_users.csv") == (4, 10, 20, (1, 5))
    assert shape_and_scale("pandas_index_no_header.csv") == (4, 20, 20, (1, 5))
    assert shape_and_scale("decimal_commas.csv", decimal=",") == (4, 20, 20, (1.5, 4.5))
    assert "'1,5' in row 1" in refusal(INPUTS / "decimal_commas.csv")


def test_the_separator_occurs_equally_often_in_each_line(tmp_path):
    for content, options in [
        ("1;100;1,5;0,00\n1;101;2,5;0,01\n", {"decimal": ","}),
        ("user;item;rating;x\n1;100;1,5;0,00\n1;101;2,5;0,01\n", {"decimal": ","}),
        ("1|100|1,5|0,00\n1|101|2,5|0,01\n", {"decimal": ","}),
        ('user,item,rating\n1,100,"1,5"\n1,101,"2,5"\n', {"decimal": ","}),
        ("1,100,1.5,War|Noir|New\n1,101,2.5,War|Crime|Old\n", {}),
        ("1,100,1.5,a;b;c\n1,101,2.5,d;e;f\n", {}),
    ]:
        assert everything(split(tmp_path / "r", content, **options)) == {
            (1, 100): 1.5,
            (1, 101): 2.5,
        }


def test_with_decimal_commas_a_point_is_no_number(tmp_path):
    sentence = refusal(tmp_path / "r", "user;item;rating\n1;2;1.500\n1;3;2,5\n", decimal=",")
    assert "The rating '1.500' in row 2 of 'r' is not a finite number" in sentence


def test_the_latest_of_a_file_with_an_index(tmp_path):
    content = rows(range(6), USERS, ITEMS, RATINGS, TIMES[::-1])
    made = split(tmp_path / "r.csv", content, split="time")
    assert by_ids(made.test, made.ids) == {(7, 30): 1}
