"""What a browser has to fetch before a page works."""

from __future__ import annotations

import re

import pytest

from tests.dashboard.rows import start

ASSETS = re.compile(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"')
MOST = 120_000  # bytes, as they go over the wire
GZIP = {"Accept-Encoding": "gzip"}


def sent(client, address):
    response = client.get(address, headers=GZIP)
    assert response.status_code == 200, address
    return len(b"".join(response.streaming_content) if response.streaming else response.content)


@pytest.mark.parametrize("address", ["/runs/{run}", "/runs/{run}/graph", "/trees/{tree}", "/"])
def test_scripts_and_styles_weigh_little(clients, tree, address):
    client = clients["ann"]
    run = start(tree)
    page = client.get(address.format(run=run.pk, tree=tree.pk)).content.decode()
    assets = set(ASSETS.findall(page))
    assert {name.rpartition(".")[2] for name in assets} == {"js", "css"}
    weights = {asset: sent(client, asset) for asset in assets}
    assert 10_000 < sum(weights.values()) <= MOST, weights
