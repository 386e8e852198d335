import AsyncHTTPClient
import Crypto
enum LedgerSourcesPlaceholder {}
