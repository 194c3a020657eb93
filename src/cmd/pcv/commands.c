/* commands.c - the list of all tables of verbs. */
#include "cmd/pcv/verbs_priv.h"

const CommandTable *const pcv_tables[] = {
    &project_commands,  &repo_commands,        &branch_commands,      &commit_commands,
    &put_commands,      &get_commands,         &file_commands,        &pipeline_commands,
    &job_commands,      &datum_commands,       &log_commands,         &secret_commands,
    &defaults_commands, &cluster_commands,     &transaction_commands, &config_commands,
    &lineage_commands,  &image_commands,       &edit_commands,        &diff_commands,
    &metadata_commands, &whole_commands,       &debug_commands,       &load_commands,
    &draw_commands,     &cluster_log_commands, &idle_commands,        &completion_commands,
    &shell_commands,
    NULL,
};
