# SPDX-License-Identifier: Apache-2.0
"""The chart, rendered by helm's own engine in the Go module tests/chart: against
Kubernetes' types, its Pod Security Standard, and the server's own judgement.
"""

from gomodule import GoModule

# Compiling helm in a cold cache is nearly all of it.
PATIENCE = 600


def test_chart_is_what_helm_kubernetes_and_the_server_take():
    GoModule("chart").test(PATIENCE)
