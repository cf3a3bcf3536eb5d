"""Hypothesis strategies for every message of LDAP."""

from hypothesis import strategies as st

from quintet.ldap import Add, Delete, Increment, Replace
from quintet.ldap.filters import And, Equality, Not, Or, Present, Substrings
from quintet.ldap.messages import (
    AbandonRequest,
    AddRequest,
    AddResponse,
    BindRequest,
    BindResponse,
    CompareRequest,
    CompareResponse,
    Control,
    DeleteRequest,
    DeleteResponse,
    ExtendedRequest,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    ModifyDNRequest,
    ModifyDNResponse,
    ModifyRequest,
    ModifyResponse,
    Result,
    Sasl,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    Simple,
    UnbindRequest,
)

texts = st.text(max_size=20)
blobs = st.binary(max_size=150)
maybe_blobs = st.none() | blobs
attributes = st.from_regex(r"[a-zA-Z][a-zA-Z0-9-]{0,10}", fullmatch=True)
numbers = st.integers(0, 2**31 - 1)
some_texts = st.lists(texts, max_size=3).map(tuple)
controls = st.lists(st.builds(Control, texts, st.booleans(), maybe_blobs), max_size=3).map(tuple)
results = st.builds(Result, numbers, texts, texts, some_texts)

filters = st.recursive(
    st.builds(Equality, attributes, blobs)
    | st.builds(Present, attributes)
    | st.builds(Substrings, attributes, blobs, st.lists(blobs, max_size=2).map(tuple), maybe_blobs),
    lambda inner: (
        st.builds(And, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=5,
)

entries = st.builds(
    SearchResultEntry,
    texts,
    st.dictionaries(texts, st.lists(blobs, max_size=3), max_size=4),
)
some_values = st.lists(blobs, min_size=1, max_size=3)
modifications = (
    st.builds(Add, attributes, some_values)
    | st.builds(Delete, attributes, st.none() | some_values)
    | st.builds(Replace, attributes, st.lists(blobs, max_size=3))
    | st.builds(Increment, attributes, st.integers())
)
requests = (
    st.builds(BindRequest, texts, st.builds(Simple, blobs) | st.builds(Sasl, texts, maybe_blobs), numbers)
    | st.just(UnbindRequest())
    | st.builds(
        SearchRequest,
        texts,
        st.integers(0, 2),
        filters,
        some_texts,
        st.integers(0, 3),
        numbers,
        numbers,
        st.booleans(),
    )
    | st.builds(ModifyRequest, texts, st.lists(modifications, max_size=4).map(tuple))
    | st.builds(AddRequest, texts, st.dictionaries(texts, some_values, max_size=4))
    | st.builds(DeleteRequest, texts)
    | st.builds(ModifyDNRequest, texts, texts, st.booleans(), st.none() | texts)
    | st.builds(CompareRequest, texts, texts, blobs)
    | st.builds(ExtendedRequest, texts, maybe_blobs)
    | st.builds(AbandonRequest, numbers)
)
responses = (
    entries
    | st.builds(BindResponse, results, maybe_blobs)
    | st.builds(SearchResultReference, some_texts)
    | st.builds(SearchResultDone, results)
    | st.builds(ModifyResponse, results)
    | st.builds(AddResponse, results)
    | st.builds(DeleteResponse, results)
    | st.builds(ModifyDNResponse, results)
    | st.builds(CompareResponse, results)
    | st.builds(ExtendedResponse, results, st.none() | texts, maybe_blobs)
    | st.builds(IntermediateResponse, st.none() | texts, maybe_blobs)
)
messages = st.builds(Message, numbers, requests | responses, controls)
