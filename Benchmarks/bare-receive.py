"""What it costs to receive ledgers and do nothing with them: the floor that a fetcher stands on.

Arguments: the simulator's URL, the first ledger, how many, ledgers a request. Prints CPU milliseconds per ledger of one thread that asks for page after page
and reads each into the same 256 KB.
"""
import os
import socket
import sys
from urllib.parse import urlsplit

url, first, count, page = urlsplit(sys.argv[1]), *map(int, sys.argv[2:5])
connection = socket.create_connection((url.hostname, url.port))
buffer = memoryview(bytearray(1 << 18))
began = os.times()
for start in range(first, first + count, page):
    body = f'{{"jsonrpc":"2.0","id":1,"method":"getLedgers","params":{{"startLedger":{start},"pagination":{{"limit":{min(page, first + count - start)}}}}}}}'
    connection.sendall(
        f"POST / HTTP/1.1\r\nhost: {url.netloc}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
    received = connection.recv_into(buffer)
    head, _, _ = bytes(buffer[:received]).partition(b"\r\n\r\n")
    while b"\r\n\r\n" not in bytes(buffer[:received]):
        received += connection.recv_into(buffer[received:])
        head, _, _ = bytes(buffer[:received]).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(head.decode())
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    left = length - (received - len(head) - 4)
    while left > 0:
        got = connection.recv_into(buffer)
        if got == 0:
            sys.exit("the server closed the connection")
        left -= got
ended = os.times()
print(f"{((ended.user + ended.system) - (began.user + began.system)) * 1000 / count:.3f}")
