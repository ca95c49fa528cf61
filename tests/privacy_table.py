"""Every column of the database: gone with its row, blanked when a person is erased, or kept with a reason. Data only.

A column that is new is written down here, or tests/chat/test_erasing.py fails. docs/privacy.md says the same in words.
"""

from __future__ import annotations

ROWS_GO = frozenset(
    {
        "accounts.RulesAgreement",
        "accounts.AnnouncementRead",
        "account.EmailAddress",
        "account.EmailConfirmation",
        "accounts.ApiKey",
        "accounts.HeldPerson",
        "accounts.Invitation",
        "accounts.LoginSession",
        "accounts.Mail",
        "accounts.Membership",
        "accounts.Notice",
        "accounts.OneTimeLink",
        "accounts.Opening",
        "accounts.RefreshToken",
        "accounts.Registration",
        "accounts.User_groups",
        "accounts.User_user_permissions",
        "api.StoredAnswer",
        "axes.AccessAttempt",
        "axes.AccessAttemptExpiration",
        "axes.AccessFailureLog",
        "axes.AccessLog",
        "chat.Conversation",
        "chat.Delta",
        "chat.Generation",
        "chat.Message",
        "mfa.Authenticator",
        "portal.MonthReader",
        "sessions.Session",
        "socialaccount.SocialAccount",
        "socialaccount.SocialToken",
    }
)
"""Tables of which a person's rows are deleted, whatever columns they have."""
BLANKED: dict[str, str] = {
    "accounts.AuditEvent": "actor_name target_name private address device salt target_salt",
    "accounts.Erasure": "by_name",
    "accounts.User": (
        "password last_login is_superuser email name language time_zone session_version theme default_model "
        "owner awaits_approval is_active deactivated_at sso_at house_rules_read is_staff may_open_chats "
        "staff_by"
    ),
    "admin.LogEntry": "object_repr change_message",
    "usage.Invocation": "person person_name key",
    "usage.LedgerEntry": "person person_name key",
    "usage.MonthLine": "person person_name",
    "usage.PersonDay": "person key",
    "usage.Quota": "subject_name enabled removed_at",
    "usage.QuotaGrant": "reason",
    "usage.QuotaRequest": "person_name reason answer state decided_at",
    "usage.Reservation": "person key",
}
"""Columns that lose what they say about the person; the row stays."""
KEPT: dict[str, tuple[str, str]] = {
    "accounts.AuditEvent": (
        "the chain has to prove; a number, the deed, digests",
        "id number uuid at action actor_kind actor target_kind target concerns changes request_id personal "
        "target_personal previous hash",
    ),
    "accounts.Erasure": (
        "the receipt: a number and counts",
        "id uuid person by planned erased started_at finished_at busy_until event event_hash",
    ),
    "accounts.LegalHold": (
        "why something had to be kept; names nobody by itself",
        "id uuid team team_name reason set_by set_at ended_at",
    ),
    "accounts.Organisation": (
        "the organisation's own",
        "id uuid name time_zone language instructions house_rules starters contact currency usage_shown "
        "open_domains second_factor sso_only sso_days retention_days temporary_hours looks_told "
        "looks_told_days looks_by_two"
        " accent accent_dark logo maintenance_since maintenance_until maintenance_note"
        " announced_until",
    ),
    "accounts.SsoConnection": (
        "how people come in through the company; nobody's",
        "id uuid kind slug name server_url client_id secret secret_tail agent_id scopes group_claim "
        "staff_group staff_bundles email_domains makes_people is_enabled created_at",
    ),
    "accounts.SsoLogout": (
        "how people come in through the company; nobody's",
        "id connection digest expires_at",
    ),
    "accounts.SsoTeam": (
        "how people come in through the company; nobody's",
        "id connection group team role",
    ),
    "accounts.Team": (
        "the organisation's own",
        "id uuid name cost_centre retention_days created_at",
    ),
    "accounts.Tries": (
        "a digest and a count, gone within a day",
        "key count ends",
    ),
    "accounts.User": (
        "counters and the chain hang on the number of the row; nothing here says who it was",
        "id uuid password_expired is_service date_joined",
    ),
    "admin.LogEntry": (
        "that a row was changed, by which number",
        "id action_time user content_type object_id action_flag",
    ),
    "auth.Group": (
        "a library's own; nobody's",
        "id name",
    ),
    "auth.Group_permissions": (
        "a library's own; nobody's",
        "id group permission",
    ),
    "auth.Permission": (
        "a library's own; nobody's",
        "id name content_type codename",
    ),
    "chat.WorkerHeartbeat": (
        "a process",
        "uuid host pid places running stopping started_at beat_at",
    ),
    "contenttypes.ContentType": (
        "a library's own; nobody's",
        "id app_label model",
    ),
    "portal.MonthLetter": (
        "that a letter was sent, and to how many",
        "id first at letters",
    ),
    "portal.MonthRules": (
        "the organisation's own",
        "id close_after_days",
    ),
    "portal.PeriodicJob": (
        "the schedule's own",
        "name last_run_at",
    ),
    "providers.LanguageModel": (
        "what answers and what it costs; nobody's",
        "id uuid slug name description kind enabled for_all position context_window max_output_tokens "
        "answer_tokens first_byte_s created_at"
        " body modes",
    ),
    "providers.LanguageModel_teams": (
        "what answers and what it costs; nobody's",
        "id languagemodel team",
    ),
    "providers.ModelRoute": (
        "what answers and what it costs; nobody's",
        "id model provider upstream_name position enabled",
    ),
    "providers.Price": (
        "what answers and what it costs; nobody's",
        "id uuid effective_from created_at model provider currency origin input_micro cached_input_micro "
        "output_micro reasoning_micro per_call_micro per_image_micro per_audio_minute_micro",
    ),
    "providers.Provider": (
        "what answers and what it costs; nobody's",
        "id uuid name source base_url key key_hint next_key next_key_hint proxy dialect enabled "
        "max_concurrency created_at",
    ),
    "providers.ProviderState": (
        "what answers and what it costs; nobody's",
        "provider circuit failures openings reason opened_at retry_at",
    ),
    "socialaccount.SocialApp": (
        "how people come in through the company; nobody's",
        "id provider provider_id name client_id secret key settings",
    ),
    "usage.ClosedMonth": (
        "bills: which month, and by whom it was closed, as a number",
        "id uuid first zone starts_at ends_at currency closed_at closed_by lines digest sealed",
    ),
    "usage.ExchangeRate": (
        "what answers and what it costs; nobody's",
        "id uuid effective_from created_at currency into rate_micro",
    ),
    "usage.Invocation": (
        "figures of the installation, without whom they are of",
        "id request_id source team team_name provider provider_name model model_name created_at finished_at "
        "queue_ms ttft_ms duration_ms outcome error_kind attempts tries input_tokens cached_tokens "
        "output_tokens reasoning_tokens estimated price currency cost_micro organisation_currency "
        "organisation_cost_micro rate_micro",
    ),
    "usage.Invoice": (
        "bills: what a provider asked for, and by whom it was entered, as a number",
        "id uuid first provider provider_name model model_name currency amount_micro entered_at entered_by",
    ),
    "usage.MonthLine": (
        "bills: what was used, by which team and model",
        "id month cost_centre team team_name model model_name provider provider_name currency organisation_currency calls unknown "
        "input_tokens cached_tokens output_tokens reasoning_tokens cost_micro organisation_cost_micro corrections "
        "corrected_tokens corrected_micro",
    ),
    "usage.LedgerEntry": (
        "bills: what was used, by which team and model, and by whom it was corrected, as a number",
        "id uuid request_id attempt kind reserved_at at source team team_name provider provider_name model "
        "model_name outcome requests input_tokens cached_tokens output_tokens reasoning_tokens estimated "
        "clamped overrun price currency cost_micro organisation_currency organisation_cost_micro rate_micro "
        "reason by",
    ),
    "usage.Quota": (
        "the rule, removed; counters hang on it",
        "id uuid scope subject unit period of_models models_key amount at_limit switch_to created_at changed_at",
    ),
    "usage.QuotaGrant": (
        "the amount; counters hang on it",
        "id uuid quota subject amount starts_at until granted_by created_at",
    ),
    "usage.QuotaNotice": (
        "counters: a number and an amount",
        "id period percent at",
    ),
    "usage.QuotaPeriod": (
        "counters: a number and an amount",
        "id quota subject starts_at ends_at opening used held cap",
    ),
    "usage.QuotaRequest": (
        "that there was a request, of which number",
        "id uuid quota person amount grant decided_by created_at",
    ),
    "usage.Reservation": (
        "what proves the counters",
        "id request_id source team model state tokens input_tokens output_tokens cost_micro lines "
        "created_at closed_at lease_expires_at dispatched_at estimate produced provider",
    ),
    "usage.ReservationLine": (
        "what proves the counters",
        "id reservation period amount used",
    ),
    "accounts.Announcement": (
        "the organisation's own words to everybody",
        "id uuid text level starts_at ends_at created_at",
    ),
    "accounts.Logo": (
        "the organisation's own picture",
        "id digest data width height",
    ),
    "accounts.RulesVersion": (
        "the organisation's own words",
        "id digest text since",
    ),
    "portal.Alert": (
        "what was not well; nobody's",
        "id uuid kind subject subject_name facts opened_at seen_at told_at closed_at",
    ),
    "portal.AlertMessage": (
        "to whom the organisation sends alerts, and what came of it",
        "id uuid alert what by_mail to at state tries due_at sent_at error",
    ),
    "portal.AlertSettings": (
        "the organisation's own",
        "id emails webhook_url webhook_secret quiet_minutes error_percent queue_s",
    ),
    "portal.Tally": (
        "counts for monitors",
        "id upto counts",
    ),
    "portal.WebProcess": (
        "a process",
        "uuid beat_at held_polls requests",
    ),
    "providers.LanguageModel_denied_teams": (
        "what answers and what it costs; nobody's",
        "id languagemodel team",
    ),
    "usage.CallLine": (
        "what befell a call, by its number",
        "id request_id at kind attempt reason detail",
    ),
    "usage.PersonDay": (
        "sums, counted as nobody's",
        "id day team model currency organisation_currency calls failed unknown input_tokens "
        "cached_tokens output_tokens reasoning_tokens cost_micro organisation_cost_micro "
        "corrections corrected_tokens corrected_micro",
    ),
    "usage.Rejection": (
        "sums; nobody's",
        "id scope bucket source reason refused",
    ),
    "usage.Rollup": (
        "sums; nobody's",
        "id scope bucket model provider source outcome error_kind currency "
        "organisation_currency calls lost estimated unknown busy_ms input_tokens cached_tokens "
        "output_tokens reasoning_tokens cost_micro organisation_cost_micro corrections "
        "corrected_tokens corrected_micro",
    ),
    "usage.RollupTimes": (
        "sums; nobody's",
        "id scope bucket model provider queue_max ttft_max duration_max queue_00 queue_01 "
        "queue_02 queue_03 queue_04 queue_05 queue_06 queue_07 queue_08 queue_09 queue_10 "
        "queue_11 queue_12 queue_13 queue_14 queue_15 queue_16 queue_17 queue_18 queue_19 "
        "queue_20 queue_21 queue_22 queue_23 ttft_00 ttft_01 ttft_02 ttft_03 ttft_04 ttft_05 "
        "ttft_06 ttft_07 ttft_08 ttft_09 ttft_10 ttft_11 ttft_12 ttft_13 ttft_14 ttft_15 "
        "ttft_16 ttft_17 ttft_18 ttft_19 ttft_20 ttft_21 ttft_22 ttft_23 duration_00 "
        "duration_01 duration_02 duration_03 duration_04 duration_05 duration_06 duration_07 "
        "duration_08 duration_09 duration_10 duration_11 duration_12 duration_13 duration_14 "
        "duration_15 duration_16 duration_17 duration_18 duration_19 duration_20 duration_21 "
        "duration_22 duration_23",
    ),
}
"""By table: why, and the columns."""
