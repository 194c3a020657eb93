/* schema.c - the tables of the versioned file system. "None" in a reference is 0, as rows count from 1. */
#include "pfs/pfs.h"

/* A branch's or commit's edges go with it. A commit remembers the branch it was made on by a number that is never used
 * again, so that deleting a branch costs nothing here. `root` is what a child builds on: the commit's total
 * content, or, when it failed, the content it was itself built on. `view_*` is its content up to its first
 * view_layers layers, as far as somebody has computed it. */
const DbMigration pfs_migrations[] = {
    { "pfs: projects, repos, branches, commits",
      "CREATE TABLE pfs_project ("
      "  id BIGINT PRIMARY KEY,"
      "  name TEXT NOT NULL UNIQUE,"
      "  description TEXT NOT NULL,"
      "  created_by TEXT NOT NULL,"
      "  created_ns BIGINT NOT NULL);"

      "CREATE TABLE pfs_repo ("
      "  id BIGINT PRIMARY KEY,"
      "  project_id BIGINT NOT NULL REFERENCES pfs_project (id),"
      "  name TEXT NOT NULL,"
      "  type TEXT NOT NULL,"
      "  description TEXT NOT NULL,"
      "  created_by TEXT NOT NULL,"
      "  created_ns BIGINT NOT NULL,"
      "  UNIQUE (project_id, name, type));"

      "CREATE TABLE pfs_branch ("
      "  id BIGINT PRIMARY KEY,"
      "  repo_id BIGINT NOT NULL REFERENCES pfs_repo (id),"
      "  name TEXT NOT NULL,"
      "  head_id BIGINT NOT NULL,"
      "  trigger_id BIGINT NOT NULL," /* the branch that moves this one; 0: no trigger */
      "  trigger_all BIGINT NOT NULL,"
      "  trigger_rate TEXT NOT NULL,"
      "  trigger_size TEXT NOT NULL,"
      "  trigger_commits BIGINT NOT NULL,"
      "  trigger_cron TEXT NOT NULL,"
      "  cron_prev_ns BIGINT NOT NULL," /* the tick last done; 0: none yet */
      "  created_by TEXT NOT NULL,"
      "  created_ns BIGINT NOT NULL,"
      "  updated_ns BIGINT NOT NULL,"
      "  UNIQUE (repo_id, name));"
      "CREATE INDEX pfs_branch_by_repo ON pfs_branch (repo_id, id);"
      "CREATE INDEX pfs_branch_by_head ON pfs_branch (head_id);"
      "CREATE INDEX pfs_branch_by_trigger ON pfs_branch (trigger_id) WHERE trigger_id <> 0;"
      "CREATE INDEX pfs_branch_by_cron ON pfs_branch (id) WHERE trigger_cron <> '';"

      "CREATE TABLE pfs_branch_prov ("
      "  down_id BIGINT NOT NULL REFERENCES pfs_branch (id) ON DELETE CASCADE,"
      "  up_id BIGINT NOT NULL REFERENCES pfs_branch (id) ON DELETE CASCADE,"
      "  never BIGINT NOT NULL,"
      "  PRIMARY KEY (down_id, up_id));"
      "CREATE INDEX pfs_branch_prov_by_up ON pfs_branch_prov (up_id, down_id);"

      "CREATE TABLE pfs_commit ("
      "  id BIGINT PRIMARY KEY,"
      "  repo_id BIGINT NOT NULL REFERENCES pfs_repo (id),"
      "  set_id TEXT NOT NULL,"
      "  parent_id BIGINT NOT NULL,"
      "  branch_id BIGINT NOT NULL," /* where it was made; that branch may be gone */
      "  origin BIGINT NOT NULL,"    /* OriginKind */
      "  state BIGINT NOT NULL,"     /* PfsState */
      "  forgotten BIGINT NOT NULL,"
      "  description TEXT NOT NULL,"
      "  error TEXT NOT NULL,"
      "  started_ns BIGINT NOT NULL,"
      "  finishing_ns BIGINT NOT NULL,"
      "  finished_ns BIGINT NOT NULL,"
      "  root BLOB,"
      "  root_known BIGINT NOT NULL,"
      "  size_bytes BIGINT NOT NULL,"
      "  computing_ns BIGINT NOT NULL," /* how long its content took; -1: never computed */
      "  layers BIGINT NOT NULL,"       /* rows of pfs_layer */
      "  layer_bytes BIGINT NOT NULL,"  /* and the sum of their sizes */
      "  view_root BLOB,"
      "  view_layers BIGINT NOT NULL,"
      "  view_error TEXT NOT NULL," /* the rule that the view breaks; '': none */
      "  created_by TEXT NOT NULL,"
      "  updated_ns BIGINT NOT NULL,"
      "  UNIQUE (repo_id, set_id));"
      "CREATE INDEX pfs_commit_by_repo ON pfs_commit (repo_id, id);"
      "CREATE INDEX pfs_commit_by_repo_time ON pfs_commit (repo_id, started_ns, id);"
      "CREATE INDEX pfs_commit_by_time ON pfs_commit (started_ns, id);"
      "CREATE INDEX pfs_commit_by_set ON pfs_commit (set_id, id);"
      "CREATE INDEX pfs_commit_by_parent ON pfs_commit (parent_id);"
      "CREATE INDEX pfs_commit_finishing ON pfs_commit (id) WHERE state = 3;"

      "CREATE TABLE pfs_commit_prov ("
      "  down_id BIGINT NOT NULL REFERENCES pfs_commit (id) ON DELETE CASCADE,"
      "  up_id BIGINT NOT NULL REFERENCES pfs_commit (id) ON DELETE CASCADE,"
      "  PRIMARY KEY (down_id, up_id));"
      "CREATE INDEX pfs_commit_prov_by_up ON pfs_commit_prov (up_id, down_id);"

      "CREATE TABLE pfs_layer ("
      "  commit_id BIGINT NOT NULL REFERENCES pfs_commit (id) ON DELETE CASCADE,"
      "  seq BIGINT NOT NULL," /* from 1, bottom first */
      "  root BLOB,"
      "  entries BIGINT NOT NULL,"
      "  PRIMARY KEY (commit_id, seq));"

      /* File sets live in files of their own (fileset*.c); a row past expires_ns that nobody
       * pins is swept. */
      "CREATE TABLE pfs_fileset ("
      "  token TEXT PRIMARY KEY,"
      "  layer BLOB,"
      "  root BLOB,"
      "  expires_ns BIGINT NOT NULL);"
      "CREATE INDEX pfs_fileset_by_expiry ON pfs_fileset (expires_ns);"

      /* What users note on things: kind is a name of metadata.c. */
      "CREATE TABLE pfs_metadata ("
      "  kind TEXT NOT NULL,"
      "  object_id BIGINT NOT NULL,"
      "  name TEXT NOT NULL,"
      "  value TEXT NOT NULL,"
      "  PRIMARY KEY (kind, object_id, name));" },

    /* The head that a commit took in beside its parent. It may be gone by now. */
    { "pfs: merges",
      "CREATE TABLE pfs_merge ("
      "  commit_id BIGINT PRIMARY KEY REFERENCES pfs_commit (id) ON DELETE CASCADE,"
      "  from_id BIGINT NOT NULL);" },

    /* How many hold the file set beyond its time. */
    { "pfs: pinned file sets",
      "ALTER TABLE pfs_fileset ADD COLUMN pins BIGINT NOT NULL DEFAULT 0;" },

    /* Files that come in parts, before they are put anywhere (upload.c). */
    { "pfs: uploads",
      "CREATE TABLE pfs_upload ("
      "  id TEXT PRIMARY KEY,"
      "  place TEXT NOT NULL,"
      "  name TEXT NOT NULL,"
      "  created_ns BIGINT NOT NULL);"
      "CREATE INDEX pfs_upload_by_place ON pfs_upload (place, name, id);"

      "CREATE TABLE pfs_upload_part ("
      "  upload TEXT NOT NULL REFERENCES pfs_upload (id) ON DELETE CASCADE,"
      "  number BIGINT NOT NULL,"
      "  layer BLOB,"
      "  hash BLOB,"
      "  size_bytes BIGINT NOT NULL,"
      "  written_ns BIGINT NOT NULL,"
      "  PRIMARY KEY (upload, number));" },
};
const size_t pfs_migration_count = ARRAY_LEN(pfs_migrations);
