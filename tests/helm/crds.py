"""What of the Prometheus operator's objects the charts may use: a misspelt key would be dropped in silence by a cluster."""

TEXT = {"type": "string", "minLength": 1}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w|y))+$"}


def closed(properties: dict, *required: str) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def many(items: dict) -> dict:
    return {"type": "array", "items": items, "minItems": 1}


RELABELING = closed(
    {
        "sourceLabels": many(TEXT),
        "separator": {"type": "string"},
        "targetLabel": TEXT,
        "regex": {"type": "string"},
        "modulus": {"type": "integer"},
        "replacement": {"type": "string"},
        "action": TEXT,
    }
)

POD_MONITOR = closed(
    {
        "selector": closed({"matchLabels": LABELS, "matchExpressions": {"type": "array"}}),
        "sampleLimit": {"type": "integer", "minimum": 1},
        "podMetricsEndpoints": many(
            closed(
                {
                    "port": {
                        "type": "string",
                        "maxLength": 15,
                        "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
                    },
                    "path": {"type": "string", "pattern": "^/"},
                    "interval": DURATION,
                    "scrapeTimeout": DURATION,
                    "relabelings": many(RELABELING),
                    "metricRelabelings": many(RELABELING),
                },
                "port",
            )
        ),
    },
    "selector",
    "podMetricsEndpoints",
)

RULE = closed(
    {
        "alert": TEXT,
        "record": TEXT,
        "expr": TEXT,
        "for": DURATION,
        "keep_firing_for": DURATION,
        "labels": LABELS,
        "annotations": LABELS,
    },
    "expr",
)

PROMETHEUS_RULE = closed(
    {
        "groups": many(
            closed({"name": TEXT, "interval": DURATION, "rules": many(RULE)}, "name", "rules")
        )
    },
    "groups",
)

SPECS = {"PodMonitor": POD_MONITOR, "PrometheusRule": PROMETHEUS_RULE}
