import PostgreSQL
import Testing

/// What is shown of a connection string, and what is refused.
struct ConnectionStringTests {
    @Test(arguments: [
        "postgresql://alice:s3cret@db.example:5433/wallet",
        "postgres://alice:s3cret@db.example/wallet?sslmode=require",
        "postgresql://alice@db.example/wallet?password=s3cret",
        "postgresql://alice@db.example/wallet?connect_timeout=3&sslpassword=s3cret",
        "postgresql://:s3cret@db.example/wallet",
        "postgresql://alice:%733cret@db.example/wallet?sslpassword=s3cret&password=s3cret",
        "host=db.example user=alice password=s3cret dbname=wallet",
        "host=db.example user=alice password = 's3cret' dbname=wallet",
        "host=db.example user=alice sslpassword=s3cret password='it\\'s s3cret'",
    ])
    func passwordsAreHidden(text: String) throws {
        let address = try ConnectionString(text)
        #expect(!"\(address)".contains("s3cret"))
        #expect(address.redacted.contains("***"))
        #expect(address.redacted.contains("db.example"))
    }

    @Test func whatIsNoSecretIsShown() throws {
        #expect(
            try ConnectionString("postgresql://alice:s3cret@one:5433,two:5434/wallet?sslmode=require").redacted
                == "postgresql://alice:***@one:5433,two:5434/wallet?sslmode=require")
        #expect(try ConnectionString("dbname=wallet user='a b' password=x").redacted.contains("user='a b'"))
        #expect(try ConnectionString("dbname=wallet").databaseName == "wallet")
    }

    @Test(arguments: [
        "password=my s3cret host=db", "password='s3cret", "postgresql://alice:s3%zzcret@db/wallet", "postgresql://alice:x/s3cret@db/wallet",
        "postgresql://alice:x@s3cret@db/wallet", "postgresql://alice:1/s3cret@db/wallet", "postgresql://alice@db/wallet?pasword=s3cret",
        "s3cret", "mysql://alice:s3cret@db/wallet", "host=db port=s3cret", "host=db s3cret=1",
    ])
    func whatCannotBeReadIsRefusedWithoutRepeatingIt(text: String) {
        let error = #expect(throws: PostgresError.self) { try ConnectionString(text) }
        #expect(error?.kind == .invalidConnectionString)
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test func aNULCharacterIsRefused() {
        #expect(throws: PostgresError.self) { try ConnectionString("host=db dbname=a\0b") }
    }

    @Test func anotherDatabaseOfTheSameServer() throws {
        let other = try ConnectionString("postgresql://alice:it's s3cret\\@db.example/wallet").withDatabase("o'ther")
        #expect(other.databaseName == "o'ther")
        #expect(!other.redacted.contains("s3cret"))
        #expect(other.redacted.contains("host=db.example"))
    }
}
