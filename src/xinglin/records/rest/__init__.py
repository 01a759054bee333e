"""FHIR REST without a web framework: one module an interaction or a pure part of one; `records.api` puts them together.

    Request ── api ──► reads | writes | searches | transactions | validate | everything | capability ──► Answer

``exchange`` request and answer; ``edge`` what all interactions share; ``negotiate`` and ``conditional`` headers;
``references`` conditional references; ``patch``, ``lexemes``, ``bundles``, ``shape`` and ``links`` pure functions on bytes;
``outcome`` and ``errors`` refusals.
"""
