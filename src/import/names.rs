//! Names that every Rasa project has without listing them.

/// Intents of every domain.
pub const DEFAULT_INTENTS: &[&str] = &[
    "back",
    "nlu_fallback",
    "out_of_scope",
    "restart",
    "session_start",
];

/// Actions of every domain, in Rasa 3.6's order.
pub const DEFAULT_ACTIONS: &[&str] = &[
    "action_listen",
    "action_restart",
    "action_session_start",
    "action_default_fallback",
    "action_deactivate_loop",
    "action_revert_fallback_events",
    "action_default_ask_affirmation",
    "action_default_ask_rephrase",
    "action_two_stage_fallback",
    "action_unlikely_intent",
    "action_back",
    "...",
    "action_extract_slots",
];

/// Slots that Rasa adds where they are needed; stories may set them.
pub const DEFAULT_SLOTS: &[&str] = &[
    "requested_slot",
    "session_started_metadata",
    "knowledge_base_listed_objects",
    "knowledge_base_last_object",
    "knowledge_base_last_object_type",
];
