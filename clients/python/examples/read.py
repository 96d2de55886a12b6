"""Prints every event, and goes on where it was after a restart of either side."""
from tieline import FileStore, Subscriber

def handle(batch):
    for event in batch.events:
        print(event.sequence, event.type, event.subject)

Subscriber(target="127.0.0.1:7443", start="earliest", store=FileStore("position"),
           on_gap=lambda gap: "earliest").run(handle)
