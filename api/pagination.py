"""Lists in pages: `?page=2&page_size=100`, at most 100 rows each."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response


class Pages(PageNumberPagination):
    """`{"items": […], "count": 3, "page": 1, "pages": 1}`. Without addresses: a program adds to its own query."""

    page_size_query_param = "page_size"
    max_page_size = 100

    def get_paginated_response(self, data: Any) -> Response:
        page = self.page
        assert page is not None
        return Response(
            {"items": data, "count": page.paginator.count, "page": page.number, "pages": page.paginator.num_pages}
        )
