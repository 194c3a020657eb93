/* schema.c - the tables of the services themselves. Times are nanoseconds since the epoch. */
#include "api/api.h"

const DbMigration api_migrations[] = {
    { "api: open transactions, cached values",
      /* info is a packed transaction_v2.TransactionInfo; its version is counted up with each step
       * that joins. */
      "CREATE TABLE api_transaction ("
      "  id TEXT PRIMARY KEY,"
      "  started_ns BIGINT NOT NULL,"
      "  version BIGINT NOT NULL,"
      "  info BLOB NOT NULL);"
      "CREATE INDEX api_transaction_by_start ON api_transaction (started_ns, id);"

      /* value is a packed google.protobuf.Any, filesets the ids that were given with it, one a
       * line; used counts up with each use, of whichever entry. */
      "CREATE TABLE api_cache ("
      "  name TEXT PRIMARY KEY,"
      "  value BLOB NOT NULL,"
      "  filesets TEXT NOT NULL,"
      "  tag TEXT NOT NULL,"
      "  used BIGINT NOT NULL);"
      "CREATE INDEX api_cache_by_use ON api_cache (used);"
      "CREATE INDEX api_cache_by_tag ON api_cache (tag);" },
    { "api: wishes for a restart", "CREATE TABLE api_restart ("
                                   "  id BIGINT PRIMARY KEY,"
                                   "  at_ns BIGINT NOT NULL,"
                                   "  reason TEXT NOT NULL);" },
};
const size_t api_migration_count = ARRAY_LEN(api_migrations);
