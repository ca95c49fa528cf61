"""Addresses of servers that nothing here may ever ask, in every spelling that a browser, a resolver or a library reads as one. Pure."""

from __future__ import annotations

METADATA = (
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://metadata.google.internal./",
    "http://METADATA.google.internal/",
)
NOWHERE = (
    "http://0.0.0.0/",
    "http://0/",
    "http://[::]/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
)
SPELLINGS = (
    "http://169。254。169。254/",
    "http://１６９.254.169.254/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xa9.254.169.254/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://2130706433/",
)
TRICKS = (
    "http://user@example.com/",
    "http://example.com@169.254.169.254/",
    "http://example.com\\@169.254.169.254/",
    "http://example.com#@169.254.169.254/",
    "http:\\\\169.254.169.254\\",
    "http://example.com /",
    "http://example.com/\r\nHost: x",
    "http://example.com:99999/",
    "http:///v1",
    "//169.254.169.254/",
)
SCHEMES = (
    "file:///etc/passwd",
    "unix:/run/x.sock",
    "gopher://127.0.0.1:6379/",
    "ftp://example.com/",
    "data:,x",
    "javascript:x()",
)
EVERYWHERE = (*METADATA, *NOWHERE, *SPELLINGS, *TRICKS, *SCHEMES)
