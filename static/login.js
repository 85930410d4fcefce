// Keep the address of a story through the log-in: a redirect inherits what stands behind the #.
document.forms[0].action += location.hash;
