"""One question to InfluxDB, in InfluxQL and in Flux.

A panel says what it wants once, and both dashboards get it: the functions here are the only
place that knows either language.
Results have the same columns and legends in both.
"""

from dataclasses import dataclass

@dataclass(frozen=True)
class Query:
    """A question, its answer's legend with tags in braces, and whether the answer is a table."""

    influxql: str
    flux: str
    legend: str = ""
    table: bool = False


@dataclass(frozen=True)
class Filter:
    """Which points are meant.

    `tags` are matched with variables; a tag in `absent` may be missing from points and is found
    when its variable stands for everything; `also` are further conditions in both languages.
    """

    tags: dict
    absent: tuple = ()
    also: tuple = ()

    def influxql(self):
        conditions = [
            f'"{tag}" =~ /^${{{variable}:regex}}$/' for tag, variable in self.tags.items()
        ]
        return "".join(
            f" AND {condition}" for condition in conditions + [first for first, _ in self.also]
        )

    def flux(self):
        conditions = [second for _, second in self.also]
        for tag, variable in self.tags.items():
            # InfluxQL takes an absent tag for an empty text; Flux would drop the row.
            value = f'(if exists r.{tag} then r.{tag} else "")' if tag in self.absent else f"r.{tag}"
            conditions.append(f"{value} =~ /^${{{variable}:regex}}$/")
        return "".join(f"  |> filter(fn: (r) => {condition})\n" for condition in conditions)


# A server's points carry this tag, whoever wrote them.
SERVER = Filter({"server_name": "server"})


def flux_from(measurement, fields, filter):
    """The rows of some fields in the dashboard's time range."""
    wanted = " or ".join(f'r._field == "{field}"' for field in fields)
    wanted = f"({wanted})" if len(fields) > 1 else wanted
    return (
        "from(bucket: v.defaultBucket)\n"
        "  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n"
        f'  |> filter(fn: (r) => r._measurement == "{measurement}" and {wanted})\n'
        f"{filter.flux()}"
    )


def names(tags):
    """Tags as InfluxQL groups by them."""
    return ", ".join(f'"{tag}"' for tag in tags)


def columns(*tags):
    """Columns as Flux names them."""
    return "[" + ", ".join(f'"{tag}"' for tag in tags) + "]"


def group(by):
    """Series by tags, which Grafana names by measurement and field as well."""
    return f"  |> group(columns: {columns('_measurement', '_field', *by)})\n"


def window(function):
    return f"  |> aggregateWindow(every: v.windowPeriod, fn: {function}, createEmpty: false)\n"


# Grafana names a series by its tags only when its rows have a time.
AT_THE_END = "  |> map(fn: (r) => ({r with _time: v.timeRangeStop}))\n"
IN_ORDER = '  |> sort(columns: ["_time"])\n'


def over_time(measurement, field, function, by, filter, legend, boolean=False):
    """An aggregate for each interval and each combination of tags."""
    return Query(
        f'SELECT {function}("{field}") FROM "{measurement}" WHERE $timeFilter'
        f"{filter.influxql()} GROUP BY time($__interval), {names(by)} fill(none)",
        flux_from(measurement, [field], filter)
        # Flux has no least or greatest of booleans.
        + ("  |> toInt()\n" if boolean else "")
        + group(by)
        + (IN_ORDER if function == "last" else "")
        + window(function),
        legend,
    )


def change(measurement, field, by, filter, legend, per_second):
    """How fast a counter grows, or by how much in each interval.

    Where it falls, the engine or program was started anew: InfluxQL leaves that interval out,
    Flux counts from zero.
    """
    if per_second:
        influxql, flux = f'non_negative_derivative(last("{field}"), 1s)', "derivative(unit: 1s, "
    else:
        influxql, flux = f'non_negative_difference(last("{field}"))', "difference("
    return Query(
        f'SELECT {influxql} FROM "{measurement}" WHERE $timeFilter{filter.influxql()}'
        f" GROUP BY time($__interval), {names(by)} fill(none)",
        flux_from(measurement, [field], filter)
        + group(by)
        + IN_ORDER
        + window("last")
        + "  |> toFloat()\n"
        + f"  |> {flux}nonNegative: true)\n",
        legend,
    )


def rate(measurement, field, by, filter, legend):
    return change(measurement, field, by, filter, legend, per_second=True)


def increase(measurement, field, by, filter, legend):
    return change(measurement, field, by, filter, legend, per_second=False)


def summed_over_time(measurement, field, inner, by, filter, legend):
    """The mean of each inner series in each interval, added up by tags."""
    return Query(
        f'SELECT sum("mean") FROM (SELECT mean("{field}") AS "mean" FROM "{measurement}"'
        f" WHERE $timeFilter{filter.influxql()}"
        f" GROUP BY time($__interval), {names(inner)} fill(none))"
        f" WHERE $timeFilter GROUP BY time($__interval), {names(by)} fill(none)",
        flux_from(measurement, [field], filter)
        + group(inner)
        + window("mean")
        + f"  |> group(columns: {columns('_measurement', '_field', '_time', *by)})\n"
        + "  |> sum()\n"
        + group(by),
        legend,
    )


def latest_sum(measurement, field, by, filter, legend):
    """The last value of each combination of tags, added up to one number."""
    return Query(
        f'SELECT sum("last") FROM (SELECT last("{field}") AS "last" FROM "{measurement}"'
        f" WHERE $timeFilter{filter.influxql()} GROUP BY {names(by)})",
        flux_from(measurement, [field], filter)
        + group(by)
        + IN_ORDER
        + "  |> last()\n"
        + group([])
        + "  |> sum()\n"
        + AT_THE_END,
        legend,
    )


def latest_table(measurement, fields, by, filter):
    """A row for each combination of tags with the last value of each field."""
    selected = ", ".join(f'last("{field}") AS "{field}"' for field in fields)
    return Query(
        f'SELECT {selected} FROM "{measurement}" WHERE $timeFilter{filter.influxql()}'
        f" GROUP BY {names(by)}",
        flux_from(measurement, fields, filter)
        + f"  |> group(columns: {columns(*by, '_field')})\n"
        + IN_ORDER
        + "  |> last()\n"
        + f'  |> pivot(rowKey: {columns(*by)}, columnKey: ["_field"], valueColumn: "_value")\n'
        + "  |> group()\n"
        + f"  |> keep(columns: {columns(*by, *fields)})\n",
        table=True,
    )


def latest_point(measurement, fields, by, filter):
    """A row for each combination of tags: its last point, with the time of it."""
    selected = ", ".join(f'"{field}"' for field in fields)
    return Query(
        f'SELECT {selected} FROM "{measurement}" WHERE $timeFilter{filter.influxql()}'
        f" GROUP BY {names(by)} ORDER BY time DESC LIMIT 1",
        flux_from(measurement, fields, filter)
        + '  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")\n'
        + f"  |> group(columns: {columns(*by)})\n"
        + IN_ORDER
        + "  |> tail(n: 1)\n"
        + "  |> group()\n"
        + f"  |> keep(columns: {columns('_time', *by, *fields)})\n",
        table=True,
    )


def total(measurement, field, by, filter, legend):
    """The sum in the whole time range, for each combination of tags or of everything."""
    grouped = f" GROUP BY {names(by)}" if by else ""
    return Query(
        f'SELECT sum("{field}") FROM "{measurement}" WHERE $timeFilter{filter.influxql()}{grouped}',
        flux_from(measurement, [field], filter) + group(by) + "  |> sum()\n" + AT_THE_END,
        legend,
    )


def how_many(measurement, field, function, by, filter, legend):
    """How many combinations of tags have points in the time range."""
    return Query(
        f'SELECT count("{function}") FROM (SELECT {function}("{field}") AS "{function}"'
        f' FROM "{measurement}" WHERE $timeFilter{filter.influxql()} GROUP BY {names(by)})',
        flux_from(measurement, [field], filter)
        + group(by)
        + f"  |> {function}()\n"
        + group([])
        + "  |> count()\n"
        + AT_THE_END,
        legend,
    )
