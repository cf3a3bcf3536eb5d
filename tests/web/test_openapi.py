"""The API against its own description: whatever is sent, no server error and nothing undescribed."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from quintet.embedded import sample
from support.folder import settings_folder
from support.serving import free_port, serve
from support.slapd import Slapd

pytestmark = pytest.mark.real

EXAMPLES = 20
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
OPERATIONS = [
    ("POST", "/session"),
    ("GET", "/session"),
    ("GET", "/resolve"),
    ("GET", "/people/{handle}"),
    ("GET", "/people/{handle}/card"),
    ("GET", "/people/{handle}/groups"),
    ("GET", "/groups/{handle}/members"),
    ("GET", "/browse"),
    ("GET", "/connections"),
    ("GET", "/certificates"),
    ("GET", "/diagnostics"),
    ("GET", "/sessions"),
    ("DELETE", "/sessions/{ident}"),
    ("DELETE", "/people/{handle}/sessions"),
    ("POST", "/reload"),
    ("POST", "/explain"),
    ("DELETE", "/session"),  # the last one: it signs out
]


WITHOUT_PARAMETERS = {
    ("GET", "/session"),
    ("GET", "/connections"),
    ("GET", "/certificates"),
    ("GET", "/diagnostics"),
    ("GET", "/sessions"),
    ("POST", "/reload"),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Iterator[str]:
    config = {"QUINTET_ADMIN_GROUP": "All Staff", "QUINTET_ALLOW_UNENCRYPTED_GROUPS": "1"}
    folder = tmp_path_factory.mktemp("openapi") / "s"
    settings_folder(folder, slapd, level="none", account=None, config=config)
    with serve(folder, STI__Config__QUINTET_HTTP_PORT=str(free_port())) as told:
        yield told["http"]


@pytest.fixture(scope="module")
def schema(url: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")


@pytest.fixture(scope="module")
def headers(url: str) -> dict[str, str]:
    """Those of a browser in which an administrator is signed in."""
    given_ = {"name": "jgross", "password": sample.password_of("jgross")}
    answer = httpx.post(f"{url}/api/v1/session", json=given_, headers={"origin": url})
    return {"origin": url, "cookie": answer.headers["set-cookie"].partition(";")[0]}


def test_the_description_is_openapi_3_1_and_has_the_operations_that_are_tested(
    schema: schemathesis.BaseSchema,
) -> None:
    assert schema.raw_schema["openapi"].startswith("3.1")
    found = {
        (method.upper(), path) for path, methods in schema.raw_schema["paths"].items() for method in methods
    }
    assert found == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_whatever_is_sent_the_answer_is_described_and_no_server_error(
    schema: schemathesis.BaseSchema, headers: dict[str, str], method: str, path: str, mode: GenerationMode
) -> None:
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and (method, path) in WITHOUT_PARAMETERS:
        pytest.skip("it has no parameters, so nothing can be wrong with them")

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    check()
